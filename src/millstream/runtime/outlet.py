"""The way out: encoded rows to the producer, as fast as it takes them, and what becomes of those that are refused."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from millstream.client.contract import DeliveryFailure, Producer
from millstream.engine import Origin
from millstream.errors import KafkaError
from millstream.model import OutBatch
from millstream.runtime.refusals import advice, for_its_size, of_one_record

LOG = logging.getLogger("millstream.runtime")

SKIP = 'set on_send_error="skip" and dead_letters="a topic" to go on without it'


class Outlet:
    """Hands rows to the producer in order, and keeps what it doesn't take yet.

    Rows that are refused are asked about where they come from: `refused` counts those that are passed over. Of a batch
    that is refused for its size the rows are sent again by halves, to find the one that is too large: librdkafka does
    not do that, and they come behind what was sent meanwhile.
    """

    def __init__(self, producer: Producer, another: Callable[[], Producer] | None = None) -> None:
        self._producer = producer
        self._another = another
        self._waiting: deque[OutBatch] = deque()
        self._suspects: deque[Sequence[OutBatch]] = deque()  # each sent when nothing else is on its way
        self._trying = False
        self.held = 0  # rows that are sent by one of the next calls of `serve`
        self.sent = 0
        self.acknowledged = 0
        self.refused = 0

    def send(self, batches: Iterable[OutBatch]) -> None:
        self._waiting.extend(batches)
        self._push()

    def serve(self, timeout_ms: int = 0) -> None:
        """Take reports, wait for some up to timeout_ms, and push on.

        Raises what became of a row that failed, where it is not to be passed over.
        """
        delivered = self._producer.poll(timeout_ms=timeout_ms)
        self.held = delivered.held
        self.acknowledged = min(self.acknowledged + delivered.acknowledged, self.sent - self.refused)
        if delivered.failures:
            self._failed(delivered.failures)
        self._push()

    @property
    def full(self) -> bool:
        """Whether the producer's queue is full: nothing more should be put out before it has drained."""
        return bool(self._waiting or self._suspects)

    @property
    def flushed(self) -> bool:
        """Whether every row is written, or refused and passed over."""
        return not self.full and self._producer.outstanding() == 0

    def clear(self) -> None:
        """Forget what the producer has not taken, and what it has: nothing of it is to be written any more."""
        self._waiting.clear()
        self._suspects.clear()
        self._trying = False
        self.acknowledged = self.sent - self.refused

    def abandon(self) -> None:
        """Forget everything, and see that the producer doesn't write it later on: another takes its place, if it may.

        What is on its way to a broker may still be written.
        """
        self.clear()
        if self._another is not None:
            self._producer.close()
            self._producer = self._another()

    def close(self) -> None:
        """Close the producer: nothing more is written."""
        self._producer.close()

    # --- rows that were refused

    def _failed(self, failures: Sequence[DeliveryFailure]) -> None:
        together: list[DeliveryFailure] = []
        judged: list[DeliveryFailure] = []
        for each in failures:
            (together if _may_be_anothers(each) else judged).append(each)
        if len(together) > 1:
            rows = [each.row for each in together if each.row is not None]
            middle = len(rows) // 2
            self._suspects.extendleft((rows[middle:], rows[:middle]))
            self.refused += len(rows)  # each is sent once more
        else:
            judged += together
        judged.sort(key=lambda each: -each.size if for_its_size(each.error) else 0)
        for number, failure in enumerate(judged, 1):
            self._judge(failure, others=len(judged) - number)

    def _judge(self, failure: DeliveryFailure, others: int) -> None:
        """Ask whether to go on without a row; raise where that is not so, or not possible."""
        error, origin = failure.error, _origin(failure)
        also = f" (and {others} more)" if others else ""
        what = f"a record for {failure.target} with key {_shown(failure.key)} was not written{also}: {error}"
        if not of_one_record(error):
            raise _like(error, what)
        if origin is None:
            raise _like(error, f"{what}; {advice(error)}; if it is a result, {SKIP}, and to learn what it was made of")
        what = f"{origin.place}: {what}"
        if origin.verdict(error) == "fail":
            raise _like(error, f"{what}; {advice(error)}, or {SKIP}")
        if failure.aborts:
            raise _like(
                error,
                f"{what}; under exactly-once the transaction is aborted by that, with all that was done since the last "
                "commit, so that on_send_error cannot go on without the record, nor write a dead letter: "
                f"{advice(error)}, or let the program make no such record",
            )
        LOG.warning("%s; going on without it, as on_send_error says", what)
        origin.pass_over(error)
        self.refused += 1

    def _push(self) -> None:
        if self._suspects or self._trying:
            self._try()
            return
        while self._waiting:
            batch = self._waiting[0]
            taken = self._producer.produce(batch)
            self.sent += taken
            if taken < len(batch):
                self._waiting[0] = batch.part(taken, len(batch))
                return
            self._waiting.popleft()

    def _try(self) -> None:
        """Some suspects, and nothing beside them."""
        if self._producer.outstanding():
            return
        self._trying = bool(self._suspects)
        if self._suspects:
            for row in self._suspects.popleft():
                self.sent += self._producer.produce(row)  # it took them before, and its queue is empty


def _may_be_anothers(failure: DeliveryFailure) -> bool:
    """Whether a row may have been refused for the size of another in its batch, and can be sent again."""
    return for_its_size(failure.error) and not failure.aborts and _origin(failure) is not None


def _origin(failure: DeliveryFailure) -> Origin | None:
    return Origin.of(failure.row.origins[0]) if failure.row is not None and failure.row.origins else None


def _like(error: KafkaError, message: str) -> KafkaError:
    return KafkaError(message, code=error.code, retriable=error.retriable, fatal=error.fatal)


def _shown(key: bytes | None) -> str:
    return "null" if key is None else repr(key[:80].decode(errors="replace"))
