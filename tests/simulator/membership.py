"""The membership of the simulated client: classic groups with cooperative rebalances, as librdkafka does it.

It joins, syncs and heartbeats by itself; what has to be told to its owner waits for `poll`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kio.schema.errors import ErrorCode

from millstream.client.contract import CommitOutcome, CommittedOffset, GroupChange, GroupEvent
from millstream.errors import KafkaError
from millstream.model import TopicPartition
from tests.simulator import requests
from tests.simulator.assignor import Claim, assign, assigned, assignment, claim_of, subscription
from tests.simulator.host import RETRY_MS, TRANSPORT, Process

SESSION_MS = 1_000
HEARTBEAT_MS = 150
REBALANCE_MS = 3_000
NOBODY = ("", -1)

LOST = frozenset({ErrorCode.unknown_member_id, ErrorCode.illegal_generation, ErrorCode.fenced_instance_id})
RETRIABLE = frozenset(
    {
        ErrorCode.coordinator_not_available,
        ErrorCode.kafka_storage_error,
        ErrorCode.rebalance_in_progress,
        ErrorCode.unstable_offset_commit,
    }
)


class SimulatedMembership:
    def __init__(
        self, process: Process, group: str, tasks: tuple[str, int], *, stable: bool = False, client: str | None = None
    ) -> None:
        topic, partitions = tasks
        self.group = group
        self._process = process
        self._schedule = process.schedule
        self._topic = topic
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]
        self._stable = stable
        self._connection = process.connect("group")
        self._connection.client = client or self._connection.label
        self._events: deque[GroupEvent] = deque()
        self._owned: list[TopicPartition] = []
        self._to_add: list[TopicPartition] = []
        self._held: set[TopicPartition] = set()
        self._released: set[TopicPartition] = set()
        self._joined = False
        self._joining = False
        self._claimed_generation = -1
        self._heard_ms = 0.0
        self._closed = False
        self.member = self._told = NOBODY
        self._join()
        process.at(HEARTBEAT_MS, self._heartbeat)

    # --- the contract

    def poll(self, *, timeout_ms: int) -> Sequence[GroupEvent]:
        if self._schedule.often(0.3):
            self._process.pause(self._schedule.chance.random() * 0.2)
        if timeout_ms and not self._events:
            self._process.wait(timeout_ms, lambda: bool(self._events))
        events = list(self._events)
        self._events.clear()
        self._told = self.member if self._joined or self._joining else NOBODY
        return events

    def release(self, partitions: Iterable[TopicPartition]) -> None:
        self._released |= self._held.intersection(partitions)
        if self._held and self._released == self._held:
            self._owned = [each for each in self._owned if each not in self._held]
            self._held, self._released = set(), set()
            self._give(self._to_add)
            self._join()

    def commit(self, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        # librdkafka joins again after a loss only when `poll` has told of it: until then it is nobody, or who it was.
        known = self.member if self.member[0] == self._told[0] else self._told
        request = requests.commit(self.group, known, offsets)
        self._connection.ask(*request, lambda answer: self._committed(offsets, answer))

    def committed(
        self, partitions: Sequence[TopicPartition], *, timeout_ms: int
    ) -> Mapping[TopicPartition, CommittedOffset]:
        if not partitions:
            return {}
        request = requests.committed(self.group, partitions, stable=self._stable)
        until_ms = self._schedule.now_ms + timeout_ms
        while True:
            left_ms = max(1, until_ms - self._schedule.now_ms)
            answer = self._process.ask(self._connection, request, left_ms, "reading committed offsets")
            found = {
                TopicPartition(topic.name, each.partition_index): each
                for topic in answer.topics
                for each in topic.partitions
            }
            errors = [each.error_code for each in found.values() if each.error_code is not ErrorCode.none]
            if not errors:
                break
            if self._schedule.now_ms + RETRY_MS > until_ms or errors[0] not in RETRIABLE:
                problem = f"reading committed offsets: {errors[0].name}"
                raise KafkaError(problem, code=errors[0], retriable=errors[0] in RETRIABLE)
            self._process.pause(RETRY_MS)
        return {
            source: CommittedOffset(each.committed_offset, each.metadata or "")
            for source, each in found.items()
            if each.committed_offset >= 0
        }

    def group_metadata(self) -> tuple[str, str, int] | None:
        return (self.group, *self._told) if self._told[0] else None

    def member_id(self) -> str | None:
        return self.member[0] or None

    def close(self) -> None:
        if not self._closed and self._process.alive and self.member[0]:
            self._closed = True
            gone: list[Any] = []

            def left(answer: Any) -> None:
                gone.append(answer)
                self._process.wake()

            self._connection.ask(*requests.leave_group(self.group, self.member[0]), left)
            self._process.wait(500, lambda: bool(gone))
        self._closed = True
        self._connection.close()

    # --- joining

    def _join(self) -> None:
        if self._joining or self._closed:
            return
        self._joining, self._joined = True, False
        claim = Claim(self._owned, self._claimed_generation)
        request = requests.join_group(
            self.group, self.member[0], subscription(self._topic, claim), SESSION_MS, REBALANCE_MS
        )
        self._connection.ask(*request, self._answered)

    def _join_later(self) -> None:
        self._joining = False
        self._process.at(RETRY_MS, self._join)

    def _answered(self, answer: Any) -> None:
        if answer is None:
            self._join_later()
        elif answer.error_code is ErrorCode.member_id_required:
            self.member = (answer.member_id, -1)
            self._joining = False
            self._join()
        elif answer.error_code in LOST:
            self._lose()
            self._join_later()
        elif answer.error_code is not ErrorCode.none:
            self._join_later()
        else:
            self._sync(answer)

    def _sync(self, joined: Any) -> None:
        self.member = (joined.member_id, joined.generation_id)
        given: dict[str, bytes] = {}
        if joined.leader == joined.member_id:
            claims = {each.member_id: claim_of(each.metadata) for each in joined.members}
            given = {each: assignment(found) for each, found in assign(claims, self._partitions).items()}
        self._connection.ask(*requests.sync_group(self.group, *self.member, given), self._synced)

    def _synced(self, answer: Any) -> None:
        if answer is not None and answer.error_code in LOST:
            self._lose()
        if answer is None or answer.error_code is not ErrorCode.none:
            self._join_later()
            return
        self._joining, self._joined = False, True
        self._heard_ms = self._schedule.now_ms
        self._claimed_generation = self.member[1]
        self._follow(assigned(answer.assignment))

    def _follow(self, wanted: Sequence[TopicPartition]) -> None:
        """Give up first what is taken, then take what is given, and join again: cooperative (KIP-429)."""
        added = [each for each in wanted if each not in self._owned]
        revoked = [each for each in self._owned if each not in wanted]
        self._schedule.tell(
            "{} in generation {}: {} stay, {} come, {} go",
            self._connection.label,
            self.member[1],
            len(self._owned) - len(revoked),
            [each.partition for each in added],
            [each.partition for each in revoked],
        )
        if revoked:
            self._held, self._released, self._to_add = set(revoked), set(), added
            self._tell(GroupChange("revoked", revoked))
        else:
            self._give(added)

    def _give(self, added: Sequence[TopicPartition]) -> None:
        self._owned = [*self._owned, *added]
        self._to_add = []
        if added:
            self._tell(GroupChange("assigned", list(added)))

    def _lose(self) -> None:
        self.member = NOBODY
        self._claimed_generation = -1
        self._joined = False
        lost, self._owned, self._to_add = self._owned, [], []
        self._held, self._released = set(), set()
        if lost:
            self._schedule.tell("{} loses {}", self._connection.label, [each.partition for each in lost])
            self._process.lost_tasks()
            self._tell(GroupChange("lost", lost))

    def _tell(self, event: GroupEvent) -> None:
        self._events.append(event)
        self._process.wake()

    # --- staying

    def _heartbeat(self) -> None:
        if self._closed:
            return
        self._process.at(HEARTBEAT_MS, self._heartbeat)
        if not self._joined:
            return
        if self._schedule.now_ms - self._heard_ms > SESSION_MS:
            self._lose()
            self._join()
            return
        member = self.member
        self._connection.ask(*requests.heartbeat(self.group, *member), lambda answer: self._heard(member, answer))

    def _heard(self, member: tuple[str, int], answer: Any) -> None:
        if answer is None or member != self.member or not self._joined:
            return
        if answer.error_code in LOST:
            self._lose()
            self._join()
            return
        if answer.error_code in {ErrorCode.none, ErrorCode.rebalance_in_progress}:
            self._heard_ms = self._schedule.now_ms
        if answer.error_code is ErrorCode.rebalance_in_progress and not self._held:
            self._join()

    def _committed(self, offsets: Mapping[TopicPartition, CommittedOffset], answer: Any) -> None:
        if answer is None:
            error = KafkaError("committing offsets: the connection broke", code=TRANSPORT, retriable=True)
        else:
            codes = [each.error_code for topic in answer.topics for each in topic.partitions]
            failed = next((code for code in codes if code is not ErrorCode.none), None)
            error = failed and KafkaError(
                f"committing offsets: {failed.name}", code=int(failed), retriable=failed in RETRIABLE
            )
        self._tell(CommitOutcome(offsets, error))
