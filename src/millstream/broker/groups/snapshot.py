"""A group as the journal keeps it, so that members go on after the broker was restarted."""

from __future__ import annotations

from typing import Any

import msgspec

from millstream.broker.groups.group import Group, State
from millstream.broker.groups.member import Member


class StoredMember(msgspec.Struct, frozen=True):
    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: tuple[tuple[str, bytes], ...]
    assignment: bytes


class StoredGroup(msgspec.Struct, frozen=True):
    generation: int
    protocol_type: str | None
    protocol_name: str | None
    leader: str | None
    members: tuple[StoredMember, ...]


def snapshot(group: Group) -> Any:
    """The settled group as plain values for JSON."""
    members = tuple(
        StoredMember(
            member.member_id,
            member.instance_id,
            member.client_id,
            member.client_host,
            member.session_timeout_ms,
            member.rebalance_timeout_ms,
            member.protocols,
            member.assignment,
        )
        for member in group.members.values()
    )
    stored = StoredGroup(group.generation, group.protocol_type, group.protocol_name, group.leader, members)
    return msgspec.to_builtins(stored)


def restore(group: Group, value: Any, now_ms: float) -> None:
    """Fill a new group from a snapshot; sessions begin at `now_ms`."""
    stored = msgspec.convert(value, StoredGroup)
    for each in stored.members:
        member = Member(
            each.member_id,
            each.instance_id,
            each.client_id,
            each.client_host,
            each.session_timeout_ms,
            each.rebalance_timeout_ms,
            each.protocols,
            each.assignment,
        )
        group.add(member, now_ms)
    group.generation = stored.generation
    group.protocol_type = stored.protocol_type
    group.protocol_name = stored.protocol_name
    group.leader = stored.leader
    group.state = State.STABLE if stored.members else State.EMPTY
