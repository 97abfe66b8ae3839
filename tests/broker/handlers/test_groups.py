"""Groups through requests: what the answers are in each version, and what is told of groups to administrators."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.protocol import apis
from tests.broker.core import Core, Waiting, nested, request_type

SECOND = timedelta(seconds=1)


@pytest.fixture
def core() -> Core:
    core = Core()
    core.broker.create_topic("t", 2, {})
    return core


def join(core: Core, group: str = "g") -> Waiting:
    protocol = nested(apis.JOIN_GROUP, 3, "JoinGroupRequestProtocol")(name="range", metadata=b"m")
    message = request_type(apis.JOIN_GROUP, 3)(
        group_id=group,
        session_timeout=10 * SECOND,
        rebalance_timeout=10 * SECOND,
        member_id="",
        protocol_type="consumer",
        protocols=(protocol,),
    )
    waiting = core.send(apis.JOIN_GROUP, 3, message)
    core.advance(20)
    return waiting


def sync(core: Core, joined: Any) -> None:
    assignment = nested(apis.SYNC_GROUP, 3, "SyncGroupRequestAssignment")
    message = request_type(apis.SYNC_GROUP, 3)(
        group_id="g",
        generation_id=joined.generation_id,
        member_id=joined.member_id,
        assignments=(assignment(member_id=joined.member_id, assignment=b"a"),),
    )
    assert core.ask(apis.SYNC_GROUP, 3, message).assignment == b"a"


def beat(core: Core, group: str = "c", version: int = 1, **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "group_id": group,
        "member_id": "m",
        "member_epoch": 0,
        "rebalance_timeout": 10 * SECOND,
        "subscribed_topic_names": ("t",),
        "topic_partitions": (),
        **changes,
    }
    return core.ask(
        apis.CONSUMER_GROUP_HEARTBEAT, version, request_type(apis.CONSUMER_GROUP_HEARTBEAT, version)(**fields)
    )


def described(core: Core, group: str, version: int = 6) -> Any:
    message = request_type(apis.DESCRIBE_GROUPS, version)(groups=(group,), include_authorized_operations=False)
    return core.ask(apis.DESCRIBE_GROUPS, version, message).groups[0]


def consumers(core: Core, group: str) -> Any:
    message = request_type(apis.CONSUMER_GROUP_DESCRIBE, 1)(group_ids=(group,), include_authorized_operations=False)
    return core.ask(apis.CONSUMER_GROUP_DESCRIBE, 1, message).groups[0]


def listed(core: Core, states: tuple[str, ...] = (), types: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    message = request_type(apis.LIST_GROUPS, 5)(states_filter=states, types_filter=types)
    answer = core.ask(apis.LIST_GROUPS, 5, message)
    return sorted((each.group_id, each.group_state, each.group_type) for each in answer.groups)


def test_members_are_told_of_once_they_are_settled(core: Core) -> None:
    joined = join(core).answer
    before = described(core, "g")
    assert (before.group_state, before.protocol_data) == ("CompletingRebalance", "")
    assert [(each.member_metadata, each.member_assignment) for each in before.members] == [(b"", b"")]
    sync(core, joined)
    after = described(core, "g")
    assert (after.group_state, after.protocol_type, after.protocol_data) == ("Stable", "consumer", "range")
    assert [(each.member_metadata, each.member_assignment) for each in after.members] == [(b"m", b"a")]
    assert after.members[0].client_host == "/10.0.0.9"


@pytest.mark.parametrize(("version", "error"), [(5, ErrorCode.none), (6, ErrorCode.group_id_not_found)])
def test_a_group_that_is_none_is_dead_or_not_found(core: Core, version: int, error: ErrorCode) -> None:
    answer = described(core, "none", version)
    assert (answer.error_code, answer.group_state) == (error, "Dead")


def test_groups_are_listed_by_state_and_type(core: Core) -> None:
    sync(core, join(core).answer)
    beat(core)
    core.broker.groups.know("e")
    everything = [("c", "Stable", "consumer"), ("e", "Empty", "classic"), ("g", "Stable", "classic")]
    assert listed(core) == everything
    assert listed(core, states=("stable",)) == [everything[0], everything[2]]
    assert listed(core, types=("Classic",)) == everything[1:]
    assert listed(core, states=("Empty",), types=("consumer",)) == []


def test_requests_without_a_group_are_refused(core: Core) -> None:
    heartbeat = request_type(apis.HEARTBEAT, 4)(group_id="", generation_id=1, member_id="m")
    assert core.ask(apis.HEARTBEAT, 4, heartbeat).error_code is ErrorCode.invalid_group_id
    sync = request_type(apis.SYNC_GROUP, 3)(group_id="", generation_id=1, member_id="m", assignments=())
    assert core.ask(apis.SYNC_GROUP, 3, sync).error_code is ErrorCode.invalid_group_id
    leave = request_type(apis.LEAVE_GROUP, 5)(group_id="", members=())
    assert core.ask(apis.LEAVE_GROUP, 5, leave).error_code is ErrorCode.invalid_group_id
    assert join(core, group="").answer.error_code is ErrorCode.invalid_group_id
    assert beat(core, group="").error_code is ErrorCode.invalid_request


def test_a_member_of_the_new_protocol_is_given_its_partitions(core: Core) -> None:
    answer = beat(core)
    assert (answer.error_code, answer.member_id, answer.member_epoch) == (ErrorCode.none, "m", 1)
    assert answer.heartbeat_interval == timedelta(milliseconds=500)
    topic = core.broker.catalogue.get("t")
    assert topic is not None
    given = answer.assignment.topic_partitions
    assert [(each.topic_id, each.partitions) for each in given] == [(topic.topic_id, (0, 1))]
    again = beat(core, member_epoch=1, subscribed_topic_names=None, topic_partitions=None)
    assert again.assignment is None
    group = consumers(core, "c")
    assert (group.group_state, group.group_epoch, group.assignor_name) == ("Stable", 1, "uniform")
    told = group.members[0]
    assert (told.member_id, told.subscribed_topic_names, told.client_host) == ("m", ("t",), "/10.0.0.9")
    assert [(each.topic_name, each.partitions) for each in told.assignment.topic_partitions] == [("t", (0, 1))]
    core.broker.partitions.remove(topic)
    core.broker.catalogue.delete("t")
    assert consumers(core, "c").members[0].assignment.topic_partitions == ()


def test_the_broker_names_members_of_the_first_version(core: Core) -> None:
    named = beat(core, version=0, member_id="")
    assert named.error_code is ErrorCode.none
    assert named.member_id


def test_a_group_of_one_protocol_refuses_members_of_the_other(core: Core) -> None:
    joined = join(core).answer
    assert beat(core, group="g").error_code is ErrorCode.group_id_not_found
    assert consumers(core, "g").error_message == "Group g is not a consumer group."
    leave = request_type(apis.LEAVE_GROUP, 2)(group_id="g", member_id=joined.member_id)
    core.ask(apis.LEAVE_GROUP, 2, leave)
    assert beat(core, group="g").error_code is ErrorCode.none
    assert join(core).answer.error_code is ErrorCode.inconsistent_group_protocol
    assert described(core, "g").error_code is ErrorCode.group_id_not_found
    beat(core, group="g", member_epoch=-1)
    assert join(core).answer.error_code is ErrorCode.none


@pytest.mark.parametrize(("version", "error"), [(8, ErrorCode.unsupported_version), (9, ErrorCode.stale_member_epoch)])
def test_a_stale_commit_is_told_as_the_client_knows_it(core: Core, version: int, error: ErrorCode) -> None:
    beat(core)
    each = nested(apis.OFFSET_COMMIT, version, "OffsetCommitRequestPartition")(
        partition_index=1, committed_offset=7, committed_metadata="m"
    )
    topic = nested(apis.OFFSET_COMMIT, version, "OffsetCommitRequestTopic")(name="t", partitions=(each,))
    message = request_type(apis.OFFSET_COMMIT, version)(
        group_id="c", member_id="m", generation_id_or_member_epoch=7, topics=(topic,)
    )
    assert core.ask(apis.OFFSET_COMMIT, version, message).topics[0].partitions[0].error_code is error


def test_offsets_are_told_to_members_of_this_epoch(core: Core) -> None:
    beat(core)

    def fetched(member: str | None, epoch: int) -> ErrorCode:
        group = nested(apis.OFFSET_FETCH, 9, "OffsetFetchRequestGroup")(
            group_id="c", member_id=member, member_epoch=epoch, topics=None
        )
        message = request_type(apis.OFFSET_FETCH, 9)(groups=(group,))
        code: ErrorCode = core.ask(apis.OFFSET_FETCH, 9, message).groups[0].error_code
        return code

    assert fetched("m", 1) is ErrorCode.none
    assert fetched("m", 2) is ErrorCode.stale_member_epoch
    assert fetched("x", 1) is ErrorCode.unknown_member_id
    assert fetched(None, -1) is ErrorCode.none
