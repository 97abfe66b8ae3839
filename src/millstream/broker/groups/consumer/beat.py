"""Heartbeats of consumer groups and their answers, and what is wrong with one whatever the group."""

from __future__ import annotations

from dataclasses import dataclass

from kio.schema.errors import ErrorCode

from millstream.broker.groups.consumer.assignors import Partitions
from millstream.broker.groups.consumer.member import AWAY, ConsumerMember


@dataclass(frozen=True, slots=True)
class Beat:
    """One heartbeat. What is None is as it was before; epoch 0 joins."""

    group_id: str
    member_id: str
    epoch: int
    instance_id: str | None
    rack_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    topics: frozenset[str] | None
    pattern: str | None
    assignor: str | None
    owned: Partitions | None

    @property
    def is_full(self) -> bool:
        """Whether it tells everything, as clients do when they don't know whether the last one arrived."""
        told = self.topics is not None or self.pattern is not None
        return self.epoch == 0 or (told and self.rebalance_timeout_ms >= 0 and self.owned is not None)


@dataclass(frozen=True, slots=True)
class Pulse:
    """The answer to a heartbeat; `assignment` is None if the member has it already."""

    error: ErrorCode
    member_id: str = ""
    epoch: int = 0
    assignment: Partitions | None = None
    message: str | None = None


class RefusedBeatError(Exception):
    """A heartbeat is not taken."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def problem(beat: Beat, version: int) -> str | None:
    """Why a heartbeat makes no sense whatever the group, or None."""
    if not beat.group_id:
        return "GroupId can't be empty."
    if beat.instance_id == "" or beat.rack_id == "":
        return "InstanceId and RackId can't be empty."
    if not beat.member_id and (version >= 1 or beat.epoch != 0):
        return "MemberId can't be empty."
    if beat.epoch < AWAY:
        return f"MemberEpoch is {beat.epoch}, but must be -2 or larger."
    if beat.epoch == AWAY and beat.instance_id is None:
        return "InstanceId can't be null."
    if beat.epoch != 0:
        return None
    if beat.rebalance_timeout_ms < 0:
        return "RebalanceTimeoutMs must be provided in first request."
    if beat.owned is None or beat.owned:
        return "TopicPartitions must be empty when (re-)joining."
    if beat.topics is None and not beat.pattern:
        return "SubscribedTopicNames or SubscribedTopicRegex must be set when (re-)joining."
    return None


def check_epoch(member: ConsumerMember, beat: Beat) -> None:
    """A member may be one epoch behind, if the answer was lost: then it has nothing that is not its own."""
    progress = member.progress
    behind = beat.epoch == progress.previous_epoch and beat.owned is not None and beat.owned <= progress.assigned
    if beat.epoch == progress.epoch or (beat.epoch < progress.epoch and behind):
        return
    text = f"The member's epoch is {progress.epoch}, not {beat.epoch}. It must abandon all its partitions and rejoin."
    raise RefusedBeatError(ErrorCode.fenced_member_epoch, text)
