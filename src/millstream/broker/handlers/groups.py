"""Classic groups: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, DescribeGroups; all groups: ListGroups, DeleteGroups."""

from __future__ import annotations

from dataclasses import replace

from kio.schema.delete_groups.v2.request import DeleteGroupsRequest
from kio.schema.describe_groups.v6.request import DescribeGroupsRequest
from kio.schema.errors import ErrorCode
from kio.schema.heartbeat.v4.request import HeartbeatRequest
from kio.schema.join_group.v9.request import JoinGroupRequest
from kio.schema.leave_group.v5.request import LeaveGroupRequest
from kio.schema.list_groups.v5.request import ListGroupsRequest
from kio.schema.sync_group.v5.request import SyncGroupRequest

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.groups.coordinator import JoinRequest, SyncRequest
from millstream.broker.groups.group import Group, State
from millstream.broker.groups.subscription import CONSUMER
from millstream.broker.handlers import operations
from millstream.broker.handlers.durations import milliseconds
from millstream.broker.protocol.answers.groups import (
    DeletedGroup,
    DeletedGroups,
    DescribedGroup,
    DescribedGroups,
    DescribedMember,
    ErrorOnly,
    Joined,
    Left,
    ListedGroup,
    ListedGroups,
    Synced,
)

_ID_REQUIRED_FROM = 4
_SKIP_ASSIGNMENT_FROM = 9
_MEMBER_ERRORS_FROM = 3
_NOT_FOUND_FROM = 6
_CLASSIC = "classic"


def join_group(broker: Broker, call: Call, message: JoinGroupRequest, reply: Reply) -> None:
    if not broker.has_room_for_group(message.group_id):
        reply(Joined(ErrorCode.policy_violation, message.member_id))
        return
    session_ms = milliseconds(message.session_timeout)
    rebalance_ms = milliseconds(message.rebalance_timeout)
    request = JoinRequest(
        message.group_id,
        message.member_id,
        message.group_instance_id,
        call.client_id,
        f"/{call.client_host}",
        session_ms,
        rebalance_ms if rebalance_ms >= 0 else session_ms,
        message.protocol_type,
        tuple((protocol.name, protocol.metadata) for protocol in message.protocols),
        requires_known_id=call.version >= _ID_REQUIRED_FROM,
        can_skip_assignment=call.version >= _SKIP_ASSIGNMENT_FROM,
    )
    error = broker.groups.become_classic(message.group_id)
    if error is not None:
        reply(Joined(error, message.member_id))
        return
    broker.groups.classic.join(request, call.now_ms, reply)


def sync_group(broker: Broker, call: Call, message: SyncGroupRequest, reply: Reply) -> None:
    if not message.group_id:
        reply(Synced(ErrorCode.invalid_group_id))
        return
    request = SyncRequest(
        message.group_id,
        message.member_id,
        message.group_instance_id,
        message.generation_id,
        message.protocol_type,
        message.protocol_name,
        {each.member_id: each.assignment for each in message.assignments},
    )
    broker.groups.classic.sync(request, call.now_ms, reply)


def heartbeat(broker: Broker, call: Call, message: HeartbeatRequest, reply: Reply) -> None:
    if not message.group_id:
        reply(ErrorOnly(ErrorCode.invalid_group_id))
        return
    error = broker.groups.classic.heartbeat(
        message.group_id, message.member_id, message.group_instance_id, message.generation_id, call.now_ms
    )
    reply(ErrorOnly(error))


def leave_group(broker: Broker, call: Call, message: LeaveGroupRequest, reply: Reply) -> None:
    """Before version 3 one member leaves and its error is the answer's."""
    if not message.group_id:
        reply(Left(ErrorCode.invalid_group_id))
        return
    left = tuple(
        broker.groups.classic.leave(message.group_id, each.member_id, each.group_instance_id, call.now_ms)
        for each in message.members
    )
    top = left[0].error_code if call.version < _MEMBER_ERRORS_FROM and left else ErrorCode.none
    reply(Left(top, left))


def describe_groups(broker: Broker, call: Call, message: DescribeGroupsRequest, reply: Reply) -> None:
    described = [_described(name, broker.groups.classic.get(name), call.version) for name in message.groups]
    may = operations.told(operations.GROUP, asked=message.include_authorized_operations)
    reply(DescribedGroups(tuple(replace(each, authorized_operations=may) for each in described)))


def _described(group_id: str, group: Group | None, version: int) -> DescribedGroup:
    """A group that is not known is told so from version 6 on; before, that it is dead."""
    if group is None and version >= _NOT_FOUND_FROM:
        text = f"Group {group_id} not found."
        return DescribedGroup(group_id, ErrorCode.group_id_not_found, "Dead", error_message=text)
    if group is None:
        return DescribedGroup(group_id, group_state="Dead")
    settled = group.state is State.STABLE
    members = tuple(
        DescribedMember(
            member.member_id,
            member.instance_id,
            member.client_id,
            member.client_host,
            member.metadata_for(group.protocol_name) if settled else b"",
            member.assignment if settled else b"",
        )
        for member in group.members.values()
    )
    return DescribedGroup(
        group_id,
        ErrorCode.none,
        group.state.value,
        group.protocol_type or "",
        (group.protocol_name or "") if settled else "",
        members,
    )


def list_groups(broker: Broker, call: Call, message: ListGroupsRequest, reply: Reply) -> None:
    """Filters by state and by type; names of neither are told apart by case."""
    wanted = {state.lower() for state in message.states_filter}
    types = {name.lower() for name in message.types_filter}
    known = [
        ListedGroup(group.group_id, group.protocol_type or "", group.state.value, _CLASSIC)
        for group in broker.groups.classic.groups()
    ]
    known += [
        ListedGroup(group.group_id, CONSUMER, group.state.value, CONSUMER) for group in broker.groups.consumer.groups()
    ]
    listed = tuple(
        each
        for each in known
        if (not wanted or each.group_state.lower() in wanted) and (not types or each.group_type in types)
    )
    reply(ListedGroups(listed))


def delete_groups(broker: Broker, call: Call, message: DeleteGroupsRequest, reply: Reply) -> None:
    results = tuple(DeletedGroup(name, broker.groups.delete(name)) for name in message.groups_names)
    reply(DeletedGroups(results))
