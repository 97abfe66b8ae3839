"""Topics by their ids: what newer versions name so is found, and one that was made again is another topic (KIP-516)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.protocol import apis
from tests.broker.batches import batch
from tests.broker.core import Core, nested, request_type

NOBODYS = UUID(int=99)
SECOND = timedelta(seconds=1)


@pytest.fixture
def core() -> Core:
    core = Core()
    core.broker.create_topic("t", 2, {})
    return core


def topic_id(core: Core) -> UUID:
    topic = core.broker.catalogue.get("t")
    assert topic is not None
    return topic.topic_id


def produce(core: Core, of: UUID) -> Any:
    data = nested(apis.PRODUCE, 13, "PartitionProduceData")(index=0, records=batch())
    topic = nested(apis.PRODUCE, 13, "TopicProduceData")(topic_id=of, partition_data=(data,))
    message = request_type(apis.PRODUCE, 13)(acks=-1, timeout=SECOND, topic_data=(topic,))
    return core.ask(apis.PRODUCE, 13, message).responses[0]


def fetch_request(of: UUID, max_wait: timedelta = timedelta(0)) -> Any:
    asked = nested(apis.FETCH, 17, "FetchPartition")(partition=0, fetch_offset=0, partition_max_bytes=1000)
    topic = nested(apis.FETCH, 17, "FetchTopic")(topic_id=of, partitions=(asked,))
    return request_type(apis.FETCH, 17)(max_wait=max_wait, min_bytes=1, topics=(topic,), forgotten_topics_data=())


def commit(core: Core, of: UUID) -> Any:
    each = nested(apis.OFFSET_COMMIT, 10, "OffsetCommitRequestPartition")(
        partition_index=1, committed_offset=7, committed_metadata="m"
    )
    topic = nested(apis.OFFSET_COMMIT, 10, "OffsetCommitRequestTopic")(topic_id=of, partitions=(each,))
    message = request_type(apis.OFFSET_COMMIT, 10)(group_id="g", member_id="", topics=(topic,))
    return core.ask(apis.OFFSET_COMMIT, 10, message).topics[0]


def committed(core: Core, of: UUID | None) -> Any:
    topic = nested(apis.OFFSET_FETCH, 10, "OffsetFetchRequestTopics")
    asked = None if of is None else (topic(topic_id=of, partition_indexes=(1,)),)
    group = nested(apis.OFFSET_FETCH, 10, "OffsetFetchRequestGroup")(group_id="g", topics=asked)
    return core.ask(apis.OFFSET_FETCH, 10, request_type(apis.OFFSET_FETCH, 10)(groups=(group,))).groups[0].topics


def describe(core: Core, of: UUID) -> Any:
    topic = nested(apis.METADATA, 12, "MetadataRequestTopic")(name=None, topic_id=of)
    message = request_type(apis.METADATA, 12)(topics=(topic,), include_topic_authorized_operations=False)
    return core.ask(apis.METADATA, 12, message).topics[0]


def delete(core: Core, *of: UUID, name: str | None = None) -> list[ErrorCode]:
    topic = nested(apis.DELETE_TOPICS, 6, "DeleteTopicState")
    message = request_type(apis.DELETE_TOPICS, 6)(
        topics=tuple(topic(name=name, topic_id=each) for each in of), timeout=SECOND
    )
    return [each.error_code for each in core.ask(apis.DELETE_TOPICS, 6, message).responses]


def test_records_and_commits_go_to_the_topic_with_the_id(core: Core) -> None:
    known = topic_id(core)
    produced = produce(core, known)
    assert (produced.topic_id, produced.partition_responses[0].error_code) == (known, ErrorCode.none)
    fetched = core.ask(apis.FETCH, 17, fetch_request(known)).responses[0]
    assert (fetched.topic_id, fetched.partitions[0].high_watermark) == (known, 1)
    answer = commit(core, known)
    assert (answer.topic_id, answer.partitions[0].error_code) == (known, ErrorCode.none)
    for of in (known, None):
        found = committed(core, of)
        assert [(each.topic_id, each.partitions[0].committed_offset) for each in found] == [(known, 7)]
    described = describe(core, known)
    assert (described.name, described.topic_id, len(described.partitions)) == ("t", known, 2)


def test_an_id_that_nobody_has_is_told(core: Core) -> None:
    unknown = ErrorCode.unknown_topic_id
    assert produce(core, NOBODYS).partition_responses[0].error_code is unknown
    assert core.ask(apis.FETCH, 17, fetch_request(NOBODYS)).responses[0].partitions[0].error_code is unknown
    assert commit(core, NOBODYS).partitions[0].error_code is unknown
    assert committed(core, NOBODYS)[0].partitions[0].error_code is unknown
    assert (describe(core, NOBODYS).error_code, describe(core, NOBODYS).topic_id) == (unknown, NOBODYS)
    assert delete(core, NOBODYS) == [unknown]


def test_a_topic_that_is_made_again_is_another(core: Core) -> None:
    old = topic_id(core)
    waiting = core.send(apis.FETCH, 17, fetch_request(old, SECOND))
    assert delete(core, old) == [ErrorCode.none]
    assert waiting.answer.responses[0].partitions[0].error_code is ErrorCode.unknown_topic_id
    core.broker.create_topic("t", 1, {})
    assert produce(core, old).partition_responses[0].error_code is ErrorCode.unknown_topic_id
    assert produce(core, topic_id(core)).partition_responses[0].error_code is ErrorCode.none


def test_a_topic_to_be_deleted_is_named_once_and_one_way(core: Core) -> None:
    known = topic_id(core)
    assert delete(core, known, known) == [ErrorCode.invalid_request] * 2
    assert delete(core, known, name="t") == [ErrorCode.invalid_request]
    assert core.broker.catalogue.get("t") is not None


def test_ids_are_found_again_after_a_restart(tmp_path: Any) -> None:
    first = Core(tmp_path)
    first.broker.create_topic("t", 2, {})
    known = topic_id(first)
    first.broker.close()
    again = Core(tmp_path)
    assert describe(again, known).name == "t"
    again.broker.close()
