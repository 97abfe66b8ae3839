"""Consumer groups of the new protocol: ConsumerGroupHeartbeat, ConsumerGroupDescribe (KIP-848)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from kio.schema.consumer_group_describe.v1.request import ConsumerGroupDescribeRequest
from kio.schema.consumer_group_heartbeat.v1.request import ConsumerGroupHeartbeatRequest
from kio.schema.errors import ErrorCode

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.groups.consumer.assignors import Partitions
from millstream.broker.groups.consumer.beat import Beat, problem
from millstream.broker.groups.consumer.group import ConsumerGroup
from millstream.broker.groups.consumer.member import ConsumerMember
from millstream.broker.groups.consumer.snapshot import by_topic, flat
from millstream.broker.handlers import operations
from millstream.broker.handlers.durations import milliseconds
from millstream.broker.protocol.answers.consumer_groups import (
    Assigned,
    AssignedTopic,
    Beaten,
    DescribedConsumer,
    DescribedConsumerGroup,
    DescribedConsumerGroups,
)

_CONSUMER_MEMBER = 1


def consumer_group_heartbeat(broker: Broker, call: Call, message: ConsumerGroupHeartbeatRequest, reply: Reply) -> None:
    """Answered at once: a member that has to wait for partitions learns of them with a later heartbeat."""
    beat = _beat(broker, call, message)
    text = problem(beat, call.version)
    if text is not None:
        reply(Beaten(ErrorCode.invalid_request, text))
        return
    error = broker.groups.become_consumer(beat.group_id) if beat.epoch == 0 else None
    if error is not None:
        reply(Beaten(error, f"Group {beat.group_id} cannot become one of the consumer protocol now."))
        return
    if beat.epoch == 0 and not broker.has_room_for_group(beat.group_id):
        reply(Beaten(ErrorCode.policy_violation, "There are as many groups as this broker takes."))
        return
    pulse = broker.groups.consumer.heartbeat(beat, call.now_ms)
    if pulse.error is not ErrorCode.none:
        reply(Beaten(pulse.error, pulse.message))
        return
    assignment = None
    if pulse.assignment is not None:
        assignment = Assigned(tuple(AssignedTopic(topic, of) for topic, of in by_topic(pulse.assignment)))
    interval = timedelta(milliseconds=broker.groups.consumer.heartbeat_interval_ms(beat.group_id))
    reply(Beaten(ErrorCode.none, None, pulse.member_id, pulse.epoch, interval, assignment))


def _beat(broker: Broker, call: Call, message: ConsumerGroupHeartbeatRequest) -> Beat:
    """Before version 1 the broker makes the ids of members."""
    member_id = message.member_id
    if not member_id and message.member_epoch == 0 and call.version == 0:
        member_id = broker.new_id()
    topics = message.subscribed_topic_names
    owned = message.topic_partitions
    return Beat(
        message.group_id,
        member_id,
        message.member_epoch,
        message.instance_id,
        message.rack_id,
        call.client_id,
        f"/{call.client_host}",
        milliseconds(message.rebalance_timeout),
        None if topics is None else frozenset(topics),
        message.subscribed_topic_regex,
        message.server_assignor,
        None if owned is None else flat((each.topic_id, each.partitions) for each in owned if each.topic_id),
    )


def consumer_group_describe(broker: Broker, call: Call, message: ConsumerGroupDescribeRequest, reply: Reply) -> None:
    may = operations.told(operations.GROUP, asked=message.include_authorized_operations)
    described = [replace(_described(broker, name), authorized_operations=may) for name in message.group_ids]
    reply(DescribedConsumerGroups(tuple(described)))


def _described(broker: Broker, group_id: str) -> DescribedConsumerGroup:
    group = broker.groups.consumer.get(group_id)
    if group is None:
        known = broker.groups.classic.get(group_id) is not None
        text = f"Group {group_id} is not a consumer group." if known else f"Group {group_id} not found."
        return DescribedConsumerGroup(group_id, ErrorCode.group_id_not_found, text)
    members = tuple(_described_member(broker, group, member) for member in group.members.values())
    return DescribedConsumerGroup(
        group_id, ErrorCode.none, None, group.state.value, group.epoch, group.epoch, group.assignor, members
    )


def _described_member(broker: Broker, group: ConsumerGroup, member: ConsumerMember) -> DescribedConsumer:
    return DescribedConsumer(
        member.member_id,
        member.instance_id,
        member.rack_id,
        member.progress.epoch,
        member.client_id,
        member.client_host,
        tuple(sorted(member.subscription.topics)),
        member.subscription.pattern or None,
        _told(broker, member.progress.assigned),
        _told(broker, group.targets[member.member_id]),
        _CONSUMER_MEMBER,
    )


def _told(broker: Broker, partitions: Partitions) -> Assigned:
    """By name and id; topics that are gone are passed over."""
    named = [(broker.catalogue.with_id(topic_id), of) for topic_id, of in by_topic(partitions)]
    return Assigned(tuple(AssignedTopic(topic.topic_id, of, topic.name) for topic, of in named if topic is not None))
