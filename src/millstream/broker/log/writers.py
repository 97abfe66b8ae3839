"""Who has written to a log: its idempotent producers and its transactions, remembered together."""

from __future__ import annotations

from millstream.broker.log.batch import BatchHeader
from millstream.broker.log.markers import commits
from millstream.broker.log.notes import WritersNote, writers_note, writers_of
from millstream.broker.log.producers import Producers
from millstream.broker.log.transactions import LogTransactions


class Writers:
    """The producers and transactions of one log, as they are at its end."""

    def __init__(self, producers: Producers | None = None, transactions: LogTransactions | None = None) -> None:
        self.producers = producers or Producers()
        self.transactions = transactions or LogTransactions()

    @classmethod
    def noted(cls, note: WritersNote) -> Writers:
        return cls(*writers_of(note))

    def note(self, offset: int) -> WritersNote:
        """All of it, for a log that ends at `offset`."""
        return writers_note(offset, self.producers, self.transactions)

    def wrote(self, header: BatchHeader, base_offset: int, now_ms: int) -> None:
        """A producer's batch stands at `base_offset` now."""
        self.producers.remember(header, base_offset, now_ms)
        if header.transactional:
            self.transactions.begin(header.producer_id, base_offset)

    def ended(self, producer_id: int, epoch: int, now_ms: int, offset: int, *, commit: bool) -> None:
        """The marker at `offset` ended a producer's transaction."""
        self.producers.fence(producer_id, epoch, now_ms)
        self.transactions.end(producer_id, offset, commit=commit)

    def recall(self, header: BatchHeader, batch: memoryview) -> None:
        """What was remembered of a batch when it was written, from the batch as it was found."""
        if not header.control:
            self.wrote(header, header.base_offset, header.max_timestamp)
            return
        ending = (header.producer_id, header.producer_epoch, header.max_timestamp, header.base_offset)
        self.ended(*ending, commit=commits(batch))
