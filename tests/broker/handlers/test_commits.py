"""Committed offsets: what is refused, what is deleted, and what a full disk does."""

from __future__ import annotations

import struct
from datetime import timedelta
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.protocol import apis
from tests.broker.core import Core, nested, request_type

SECOND = timedelta(seconds=1)


@pytest.fixture
def core() -> Core:
    core = Core()
    core.broker.partitions.add(core.broker.catalogue.create("t", 2, {}))
    return core


def commit(core: Core, topic: str = "t", partition: int = 0, offset: int = 5, metadata: str = "m") -> ErrorCode:
    each = nested(apis.OFFSET_COMMIT, 8, "OffsetCommitRequestPartition")(
        partition_index=partition, committed_offset=offset, committed_metadata=metadata
    )
    one = nested(apis.OFFSET_COMMIT, 8, "OffsetCommitRequestTopic")(name=topic, partitions=(each,))
    message = request_type(apis.OFFSET_COMMIT, 8)(group_id="g", member_id="", topics=(one,))
    code: ErrorCode = core.ask(apis.OFFSET_COMMIT, 8, message).topics[0].partitions[0].error_code
    return code


def committed(core: Core, version: int = 7) -> dict[tuple[str, int], tuple[int, str | None]]:
    """Everything that the group has committed."""
    if version < 8:
        answer = core.ask(
            apis.OFFSET_FETCH,
            version,
            request_type(apis.OFFSET_FETCH, version)(group_id="g", topics=None, require_stable=False),
        )
    else:
        group = nested(apis.OFFSET_FETCH, version, "OffsetFetchRequestGroup")(group_id="g", topics=None)
        message = request_type(apis.OFFSET_FETCH, version)(groups=(group,), require_stable=False)
        answer = core.ask(apis.OFFSET_FETCH, version, message).groups[0]
    return {
        (topic.name, each.partition_index): (each.committed_offset, each.metadata)
        for topic in answer.topics
        for each in topic.partitions
    }


def delete(core: Core, topic: str = "t") -> Any:
    each = nested(apis.OFFSET_DELETE, 0, "OffsetDeleteRequestPartition")(partition_index=0)
    one = nested(apis.OFFSET_DELETE, 0, "OffsetDeleteRequestTopic")(name=topic, partitions=(each,))
    return core.ask(apis.OFFSET_DELETE, 0, request_type(apis.OFFSET_DELETE, 0)(group_id="g", topics=(one,)))


def join(core: Core, protocol_type: str, metadata: bytes) -> None:
    protocol = nested(apis.JOIN_GROUP, 3, "JoinGroupRequestProtocol")(name="range", metadata=metadata)
    message = request_type(apis.JOIN_GROUP, 3)(
        group_id="g",
        session_timeout=10 * SECOND,
        rebalance_timeout=10 * SECOND,
        member_id="",
        protocol_type=protocol_type,
        protocols=(protocol,),
    )
    waiting = core.send(apis.JOIN_GROUP, 3, message)
    core.advance(100)
    assert waiting.answer.error_code is ErrorCode.none


@pytest.mark.parametrize("version", [7, 8])
def test_what_was_committed_is_told(core: Core, version: int) -> None:
    assert commit(core) is ErrorCode.none
    assert commit(core, partition=1, offset=9, metadata="") is ErrorCode.none
    assert commit(core, offset=6) is ErrorCode.none
    assert committed(core, version) == {("t", 0): (6, "m"), ("t", 1): (9, "")}


def test_what_cannot_be_committed(core: Core) -> None:
    assert commit(core, partition=2) is ErrorCode.unknown_topic_or_partition
    assert commit(core, topic="none") is ErrorCode.unknown_topic_or_partition
    assert commit(core, metadata="m" * 4097) is ErrorCode.offset_metadata_too_large
    assert committed(core) == {}


def test_a_full_disk_is_answered(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    commit(core)
    monkeypatch.setattr("millstream.broker.log.blob.MemoryBlob.append", disk_full)
    assert commit(core, offset=8) is ErrorCode.kafka_storage_error
    assert committed(core) == {("t", 0): (5, "m")}


def test_offsets_are_deleted(core: Core) -> None:
    assert delete(core).error_code is ErrorCode.group_id_not_found
    commit(core)
    assert delete(core).topics[0].partitions[0].error_code is ErrorCode.none
    assert committed(core) == {}


def test_offsets_of_subscribed_topics_stay(core: Core) -> None:
    commit(core)
    join(core, "consumer", struct.pack(">hih", 1, 1, 1) + b"t" + bytes(4))
    assert delete(core).topics[0].partitions[0].error_code is ErrorCode.group_subscribed_to_topic
    core.broker.create_topic("other", 1, {})
    assert delete(core, "other").topics[0].partitions[0].error_code is ErrorCode.none
    assert delete(core, "none").topics[0].partitions[0].error_code is ErrorCode.unknown_topic_or_partition
    assert committed(core) == {("t", 0): (5, "m")}


def test_groups_of_others_than_consumers_must_be_empty(core: Core) -> None:
    join(core, "connect", b"")
    assert delete(core).error_code is ErrorCode.non_empty_group
