"""Fetches that wait, by a manual clock: they wake when enough is there, when time is over, when the topic goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.protocol import apis
from tests.broker.batches import batch
from tests.broker.core import Core, Waiting, nested, request_type


@pytest.fixture
def core() -> Core:
    core = Core()
    core.broker.partitions.add(core.broker.catalogue.create("t", 2, {}))
    return core


def fetch(core: Core, *, min_bytes: int = 1, offset: int = 0, wait_ms: int = 500, session: int = 0) -> Waiting:
    partition = nested(apis.FETCH, 12, "FetchPartition")
    topic = nested(apis.FETCH, 12, "FetchTopic")
    asked = tuple(partition(partition=index, fetch_offset=offset, partition_max_bytes=10_000) for index in (0, 1))
    message = request_type(apis.FETCH, 12)(
        max_wait=timedelta(milliseconds=wait_ms),
        min_bytes=min_bytes,
        session_id=session,
        topics=(topic(topic="t", partitions=asked),),
        forgotten_topics_data=(),
    )
    return core.send(apis.FETCH, 12, message)


def produce(core: Core, index: int = 0) -> None:
    data = nested(apis.PRODUCE, 9, "PartitionProduceData")(index=index, records=batch())
    topic = nested(apis.PRODUCE, 9, "TopicProduceData")(name="t", partition_data=(data,))
    core.ask(apis.PRODUCE, 9, request_type(apis.PRODUCE, 9)(acks=-1, timeout=timedelta(1), topic_data=(topic,)))


def sizes(answer: Any) -> list[int]:
    return [len(each.records or b"") for each in answer.responses[0].partitions]


def test_it_wakes_the_moment_a_record_arrives(core: Core) -> None:
    waiting = fetch(core)
    assert waiting == []
    produce(core, 1)
    assert sizes(waiting.answer) == [0, len(batch())]
    produce(core, 1)
    core.advance(1000)
    assert len(waiting) == 1, "it is answered once"


def test_it_wakes_when_enough_is_there(core: Core) -> None:
    produce(core, 0)
    waiting = fetch(core, min_bytes=3 * len(batch()))
    produce(core, 1)
    assert waiting == []
    produce(core, 0)
    assert sizes(waiting.answer) == [2 * len(batch()), len(batch())]


def test_it_gives_what_is_there_when_its_time_is_over(core: Core) -> None:
    produce(core)
    waiting = fetch(core, min_bytes=1_000_000)
    core.advance(499)
    assert waiting == []
    core.advance(1)
    assert sizes(waiting.answer) == [len(batch()), 0]


def test_it_learns_that_its_topic_is_gone(core: Core) -> None:
    waiting = fetch(core)
    core.ask(apis.DELETE_TOPICS, 5, request_type(apis.DELETE_TOPICS, 5)(topic_names=("t",), timeout=timedelta(1)))
    errors = {each.error_code for each in waiting.answer.responses[0].partitions}
    assert errors == {ErrorCode.unknown_topic_or_partition}


def test_errors_do_not_wait(core: Core) -> None:
    answer = fetch(core, offset=5).answer
    assert {each.error_code for each in answer.responses[0].partitions} == {ErrorCode.offset_out_of_range}
    assert fetch(core, session=3).answer.error_code is ErrorCode.fetch_session_id_not_found
    assert fetch(core, wait_ms=0).answer.responses[0].partitions[0].high_watermark == 0


def test_nothing_is_left_behind(core: Core) -> None:
    for _ in range(100):
        fetch(core)
    produce(core)
    core.advance(500)
    assert core.broker.timers.next_deadline() is None
    assert [len(core.broker.partitions.get("t", index).watchers) for index in (0, 1)] == [0, 0]


def test_a_fetch_of_a_client_that_has_gone_is_dropped(core: Core) -> None:
    waiting = fetch(core, wait_ms=2**31 - 1)
    core.gone.pop()()
    assert core.broker.timers.next_deadline() is None
    assert [len(core.broker.partitions.get("t", index).watchers) for index in (0, 1)] == [0, 0]
    produce(core)
    assert waiting == []


def test_where_clients_take_no_answers_a_fetch_gets_one_batch(core: Core) -> None:
    for index in (0, 0, 0, 1):
        produce(core, index)
    assert sizes(fetch(core).answer) == [3 * len(batch()), len(batch())]
    core.answer_room = 2 * len(batch())
    assert sizes(fetch(core).answer) == [2 * len(batch()), 0]
    core.answer_room = 0
    assert sizes(fetch(core).answer) == [len(batch()), 0]
    waiting = fetch(core, min_bytes=1_000_000)
    core.answer_room = 1 << 62
    core.advance(500)
    assert sizes(waiting.answer) == [3 * len(batch()), len(batch())], "what counts is the room when it is answered"


def test_no_fetch_gets_more_than_the_broker_gives(core: Core) -> None:
    core.broker.settings = replace(core.broker.settings, fetch_bytes=2 * len(batch()))
    for index in (0, 0, 0, 1):
        produce(core, index)
    assert sizes(fetch(core).answer) == [2 * len(batch()), 0]
