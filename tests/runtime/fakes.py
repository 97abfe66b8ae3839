"""Clients and clocks in memory that note what they are asked, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from millstream.client.contract import (
    CommitOutcome,
    CommittedOffset,
    Delivered,
    DeliveryFailure,
    Fetched,
    GroupMetadata,
    Member,
    Step,
    StepDone,
)
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
        self.keys: list[bytes | None] = []
        self.failures: list[DeliveryFailure] = []
        self._outstanding = 0

    def produce(self, batch: OutBatch) -> int:
        taken = min(len(batch), self.room - self._outstanding)
        self._outstanding += taken
        self.rows += [(batch.target, value) for value in batch.values[:taken]]
        self.keys += batch.keys[:taken]
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
        self.log.append("close")


class FakeTransactions(FakeProducer):
    """A transactional producer whose steps are done at once; `answers` has errors for steps to come, by step."""

    def __init__(self, log: list[str], answers: Mapping[str, Sequence[KafkaError | None]] | None = None) -> None:
        super().__init__(log)
        self.answers = {step: list(errors) for step, errors in (answers or {}).items()}
        self.silent: set[str] = set()  # steps that nothing is reported of
        self.pending: dict[TopicPartition, CommittedOffset] = {}
        self.stored: dict[TopicPartition, CommittedOffset] = {}
        self.visible: list[tuple[TopicPartition, bytes | None]] = []
        self.done: StepDone | None = None

    def init(self) -> None:
        self._step("init")

    def begin(self) -> None:
        self.log.append("begin")

    def send_offsets(self, offsets: Mapping[TopicPartition, CommittedOffset], group: GroupMetadata) -> None:
        if self._step("offsets", f" as {group}"):
            self.pending |= offsets

    def commit(self) -> None:
        if self._step("commit"):
            self._end(kept=True)

    def abort(self) -> None:
        if self._step("abort"):
            self._end(kept=False)

    def outcome(self, *, timeout_ms: int) -> StepDone | None:
        del timeout_ms
        done, self.done = self.done, None
        return done

    def _step(self, step: Step, more: str = "") -> bool:
        answers = self.answers.get(step)
        error = answers.pop(0) if answers else None
        self.log.append(f"{step}{more}" if error is None else f"{step} fails {error.code}")
        self.done = None if step in self.silent else StepDone(step, error)
        return error is None

    def _end(self, *, kept: bool) -> None:
        if kept:
            self.stored |= self.pending
            self.visible += self.rows
        self.pending, self.rows = {}, []


class FakeMembership:
    """Stores offsets; `answers` are the errors of the commits to come, None for success."""

    def __init__(self, log: list[str], answers: Sequence[KafkaError | None] = ()) -> None:
        self.log = log
        self.answers = list(answers)
        self.stored: dict[TopicPartition, CommittedOffset] = {}
        self.outcomes: list[CommitOutcome] = []
        self.generation: int | None = 1

    def group_metadata(self) -> int | None:
        return self.generation

    def member_id(self) -> str:
        return "me"

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


class FakeView:
    """Shows the group as it is told to, or None while it is unsettled."""

    def __init__(self, members: Sequence[Member] | None = None) -> None:
        self.group = members
        self.asked = 0
        self._answers: list[Sequence[Member] | None] = []

    def ask(self) -> None:
        self.asked += 1
        self._answers.append(self.group)

    def members(self) -> Sequence[Member] | None:
        return self._answers.pop(0) if self._answers else None

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
