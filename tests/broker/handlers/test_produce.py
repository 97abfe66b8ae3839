"""Batches that are refused for some of their records: the answer names these, so that a client fails no others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.protocol import apis
from tests.broker.batches import Record, batch
from tests.broker.core import Core, nested, request_type

VERSIONS = [8, 9, 12]
"""The first that names records, the first with tagged fields, the last with topics by name."""


def produced(version: int, settings: dict[str, str | None], records: list[Record], codec: int = 0) -> Any:
    core = Core()
    core.broker.partitions.add(core.broker.catalogue.create("t", 1, settings))
    data = nested(apis.PRODUCE, version, "PartitionProduceData")(index=0, records=batch(records, codec=codec))
    topic = nested(apis.PRODUCE, version, "TopicProduceData")(name="t", partition_data=(data,))
    message = request_type(apis.PRODUCE, version)(acks=-1, timeout=timedelta(1), topic_data=(topic,))
    return core.ask(apis.PRODUCE, version, message).responses[0].partition_responses[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_records_without_a_key_are_named(version: int) -> None:
    records: list[Record] = [(1, b"k", b"v"), (1, None, b"v"), (1, b"k", b"v"), (1, None, None)]
    answer = produced(version, {"cleanup.policy": "compact"}, records, codec=4)
    assert answer.error_code is ErrorCode.invalid_record
    assert [each.batch_index for each in answer.record_errors] == [1, 3]
    assert all("must have a key" in each.batch_index_error_message for each in answer.record_errors)
    assert "must have a key" in answer.error_message


@pytest.mark.parametrize("version", VERSIONS)
def test_records_that_are_too_old_or_too_new_are_named(version: int) -> None:
    limits: dict[str, str | None] = {"message.timestamp.before.max.ms": "10", "message.timestamp.after.max.ms": "10"}
    now = int(Core().now_ms)
    answer = produced(version, limits, [(now - 11, b"", b""), (now, b"", b""), (now + 11, b"", b"")])
    assert answer.error_code is ErrorCode.invalid_timestamp
    assert [each.batch_index for each in answer.record_errors] == [0, 2]
    assert str(now + 11) in answer.record_errors[1].batch_index_error_message


def test_nobody_is_named_where_all_is_well() -> None:
    answer = produced(9, {}, [(1, None, b"v")])
    assert (answer.error_code, answer.record_errors) == (ErrorCode.none, ())
