"""Every API in every served version: a request is understood, and its answer has exactly the bytes of its schema."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.protocol import apis
from millstream.broker.protocol.apis import APIS
from millstream.broker.protocol.codec import UnreadableRequestError, read_request
from millstream.broker.protocol.lift import _fields
from tests.broker.batches import batch
from tests.broker.core import Core, frame, nested, request_type

ALL = [(api.key, version) for api in APIS.values() for version in range(api.min_version, api.max_version + 1)]
SECOND = timedelta(seconds=1)

TOPIC_ID = UUID(int=2)
"""Ids are given in order: the cluster has the first, the topic `t` the second."""

FILLED: dict[str, Any] = {
    "topic": "t",
    "name": "t",
    "group_id": "g",
    "groups": ("g",),
    "groups_names": ("g",),
    "topic_names": ("none",),
    "key": "g",
    "coordinator_keys": ("g",),
    "protocol_type": "consumer",
    "session_timeout": 10 * SECOND,
    "rebalance_timeout": 10 * SECOND,
    "timeout": SECOND,
    "max_wait": 0 * SECOND,
    "transaction_timeout": SECOND,
    "records": batch(),
    "max_bytes": 1000,
    "partition_max_bytes": 1000,
    "topic_id": TOPIC_ID,
    "endpoint_type": 1,
    "resource_types": (2,),
    "transactional_ids": ("x",),
    "acks": -1,
    "resource_type": 2,
    "resource_name": "t",
    "count": 3,
    "num_partitions": 1,
    "replication_factor": 1,
    "partition_indexes": (0,),
    "retention_time": SECOND,
    "config_operation": 1,
    "transactional_id": None,
    "configuration_keys": None,
    "assignments": (),
}

TRANSACTIONAL = {
    "AddOffsetsToTxnRequest",
    "AddPartitionsToTxnTransaction",
    "EndTxnRequest",
    "TxnOffsetCommitRequest",
}


def filled(schema: Any) -> Any:
    """A request with one of everything in it."""
    values = {}
    for name, inner, missing in _fields(schema):
        if name == "cursor":
            values[name] = inner(topic_name="t", partition_index=1)
        elif inner is not None and name not in {"assignments"}:
            values[name] = (filled(inner),) if missing is None or isinstance(missing, tuple) else filled(inner)
        else:
            values[name] = FILLED.get(name, missing)
    if schema.__name__ in TRANSACTIONAL:
        values["transactional_id"] = "x"
    if schema.__name__ in {"AlterableConfig", "CreatableTopicConfig"}:
        values.update(name="retention.ms", value="5")
    if schema.__name__ == "DeleteTopicState":
        values["name"] = None
    if schema.__name__ == "CreatableTopic":
        values["name"] = "new"
    return schema(**values)


@pytest.fixture
def core() -> Core:
    core = Core()
    core.broker.partitions.add(core.broker.catalogue.create("t", 2, {}))
    return core


@pytest.mark.parametrize(("key", "version"), ALL)
def test_answers_in_the_schema_of_the_version(core: Core, key: int, version: int) -> None:
    waiting = core.send(key, version, filled(request_type(key, version)))
    core.advance(10_000)
    assert waiting.answer is not None


@pytest.mark.parametrize("version", range(3, 14))
def test_produce_tells_the_offset(core: Core, version: int) -> None:
    core.ask(apis.PRODUCE, version, filled(request_type(apis.PRODUCE, version)))
    answer = core.ask(apis.PRODUCE, version, filled(request_type(apis.PRODUCE, version)))
    partition = answer.responses[0].partition_responses[0]
    assert (partition.index, partition.error_code, partition.base_offset) == (0, ErrorCode.none, 1)


@pytest.mark.parametrize("version", range(4, 19))
def test_fetch_gives_the_batches(core: Core, version: int) -> None:
    core.ask(apis.PRODUCE, 9, filled(request_type(apis.PRODUCE, 9)))
    answer = core.ask(apis.FETCH, version, filled(request_type(apis.FETCH, version)))
    partition = answer.responses[0].partitions[0]
    assert partition.high_watermark == partition.last_stable_offset == 1
    stored = partition.records
    assert stored[:8] == bytes(8)
    assert stored[16:] == batch()[16:]


@pytest.mark.parametrize(("version", "everything"), [(0, True), (1, False), (11, False), (13, False)])
def test_an_empty_list_of_topics_means_all_only_in_metadata_0(core: Core, version: int, everything: bool) -> None:
    answer = core.ask(apis.METADATA, version, request_type(apis.METADATA, version)(topics=(), **_flags(version)))
    assert [topic.name for topic in answer.topics] == (["t"] if everything else [])
    assert [(node.host, node.port) for node in answer.brokers] == [("127.0.0.1", 9092)]


@pytest.mark.parametrize("version", [1, 4, 8, 11, 13])
def test_null_topics_are_all(core: Core, version: int) -> None:
    answer = core.ask(apis.METADATA, version, request_type(apis.METADATA, version)(topics=None, **_flags(version)))
    assert [(topic.name, len(topic.partitions)) for topic in answer.topics] == [("t", 2)]


def _flags(version: int) -> dict[str, bool]:
    names = {field.name for field in _fields(request_type(apis.METADATA, version))}
    return {name: False for name in names if name.startswith("include")}


def test_unknown_api_versions_version_is_answered_in_version_0(core: Core) -> None:
    raw = frame(apis.API_VERSIONS, 0, request_type(apis.API_VERSIONS, 0)())
    unknown = raw[:2] + (99).to_bytes(2, "big") + raw[4:]
    assert read_request(unknown).message is None


def test_produce_is_advertised_from_0() -> None:
    answer = Core().ask(apis.API_VERSIONS, 3, filled(request_type(apis.API_VERSIONS, 3)))
    ranges = {api.api_key: (api.min_version, api.max_version) for api in answer.api_keys}
    assert ranges[apis.PRODUCE] == (0, 13)
    assert ranges[apis.FETCH] == (4, 18)
    assert ranges[apis.END_TXN] == (0, 5)


@pytest.mark.parametrize("raw", [b"", b"abc", bytes.fromhex("7fff0000000000010000"), bytes.fromhex("0003006300000001")])
def test_what_cannot_be_served_is_told(raw: bytes) -> None:
    with pytest.raises(UnreadableRequestError):
        read_request(raw)


def test_fetch_of_many_partitions_respects_the_limits(core: Core) -> None:
    big = batch([(1, b"k", bytes(700))])
    produce = request_type(apis.PRODUCE, 9)
    for index in (0, 1):
        part = nested(apis.PRODUCE, 9, "PartitionProduceData")(index=index, records=big)
        topic = nested(apis.PRODUCE, 9, "TopicProduceData")(name="t", partition_data=(part,))
        core.ask(apis.PRODUCE, 9, produce(acks=-1, timeout=SECOND, topic_data=(topic,)))
    sizes = [len(each.records or b"") for each in _fetch(core, max_bytes=900)]
    assert sizes == [len(big), 0]
    assert [len(each.records or b"") for each in _fetch(core, max_bytes=10)] == [len(big), 0]
    assert [len(each.records or b"") for each in _fetch(core, max_bytes=10_000)] == [len(big), len(big)]


def _fetch(core: Core, max_bytes: int) -> Any:
    partition = nested(apis.FETCH, 12, "FetchPartition")
    topic = nested(apis.FETCH, 12, "FetchTopic")
    asked = tuple(partition(partition=index, fetch_offset=0, partition_max_bytes=10_000) for index in (0, 1))
    request = request_type(apis.FETCH, 12)(
        max_wait=0 * SECOND,
        min_bytes=1,
        max_bytes=max_bytes,
        topics=(topic(topic="t", partitions=asked),),
        forgotten_topics_data=(),
    )
    return core.ask(apis.FETCH, 12, request).responses[0].partitions
