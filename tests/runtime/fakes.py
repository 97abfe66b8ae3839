"""Clients and clocks in memory that note what they are asked, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from millstream.client.contract import CommitOutcome, CommittedOffset, Delivered, DeliveryFailure, Fetched
from millstream.errors import KafkaError
from millstream.model import OutBatch, TopicPartition


class ManualClock:
    def __init__(self) -> None:
        self.now_ms = 0.0

    def wall_ms(self) -> int:
        return round(self.now_ms)

    def monotonic_ms(self) -> float:
        return self.now_ms


class FakeProducer:
    """Takes `room` rows until they are acknowledged, which each poll does."""

    def __init__(self, log: list[str] | None = None, room: int = 1_000) -> None:
        self.log = [] if log is None else log
        self.room = room
        self.rows: list[tuple[TopicPartition, bytes | None]] = []
        self.failures: list[DeliveryFailure] = []
        self._outstanding = 0

    def produce(self, batch: OutBatch) -> int:
        taken = min(len(batch), self.room - self._outstanding)
        self._outstanding += taken
        self.rows += [(batch.target, value) for value in batch.values[:taken]]
        self.log.append(f"produce {batch.target} {taken}")
        return taken

    def poll(self, *, timeout_ms: int) -> Delivered:
        del timeout_ms
        acknowledged, self._outstanding = self._outstanding, 0
        failures, self.failures = self.failures, []
        if acknowledged:
            self.log.append(f"acknowledged {acknowledged}")
        return Delivered(acknowledged, failures)

    def outstanding(self) -> int:
        return self._outstanding

    def close(self) -> None:
        self._outstanding = 0


class FakeMembership:
    """Stores offsets; `answers` are the errors of the commits to come, None for success."""

    def __init__(self, log: list[str], answers: Sequence[KafkaError | None] = ()) -> None:
        self.log = log
        self.answers = list(answers)
        self.stored: dict[TopicPartition, CommittedOffset] = {}
        self.outcomes: list[CommitOutcome] = []

    def poll(self, *, timeout_ms: int) -> Sequence[CommitOutcome]:
        del timeout_ms
        outcomes, self.outcomes = self.outcomes, []
        return outcomes

    def release(self, partitions: Iterable[TopicPartition]) -> None:
        self.log.append(f"release {len(list(partitions))}")

    def commit(self, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        error = self.answers.pop(0) if self.answers else None
        self.log.append("commit" if error is None else f"commit fails {error.code}")
        if error is None:
            self.stored.update(offsets)
        self.outcomes.append(CommitOutcome(offsets, error))

    def committed(
        self, partitions: Sequence[TopicPartition], *, timeout_ms: int
    ) -> Mapping[TopicPartition, CommittedOffset]:
        del timeout_ms
        return {source: self.stored[source] for source in partitions if source in self.stored}

    def close(self) -> None: ...


class FakeData:
    """Returns what it is given to return, one `Fetched` a poll."""

    def __init__(self) -> None:
        self.coming: list[Fetched] = []
        self.assigned: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self.asked: list[int] = []

    def assign(self, positions: Mapping[TopicPartition, int]) -> None:
        self.assigned |= positions

    def unassign(self, partitions: Iterable[TopicPartition]) -> None:
        for source in partitions:
            del self.assigned[source]

    def seek(self, source: TopicPartition, offset: int) -> None:
        self.assigned[source] = offset

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self.paused.update(partitions)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self.paused.difference_update(partitions)

    def poll(self, *, max_records: int, timeout_ms: int) -> Fetched:
        del timeout_ms
        self.asked.append(max_records)
        return self.coming.pop(0) if self.coming else Fetched([], [], [])

    def watermarks(self, source: TopicPartition, *, timeout_ms: int) -> tuple[int, int]:
        del source, timeout_ms
        return 0, 0

    def known_end(self, source: TopicPartition) -> int | None:
        del source
        return 100

    def close(self) -> None: ...
