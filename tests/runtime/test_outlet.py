from __future__ import annotations

from typing import Any

import pytest
from tests.runtime.fakes import FakeProducer

from millstream.app import App
from millstream.client.contract import Delivered, DeliveryFailure
from millstream.engine import EngineSettings, FailedRecord, GlobalTables, Outbox, Wiring, compile_task
from millstream.errors import KafkaError, ProcessingError
from millstream.model import Batch, OutBatch, TopicPartition
from millstream.plan.internal import internal_topics
from millstream.runtime.commit import flushed
from millstream.runtime.outlet import Outlet

A, B = TopicPartition("a", 0), TopicPartition("b", 0)


def batch(target: TopicPartition, *values: bytes) -> OutBatch:
    return OutBatch(target, [1] * len(values), [None] * len(values), list(values), [()] * len(values))


def test_what_the_producer_does_not_take_follows_in_order():
    producer = FakeProducer(room=2)
    outlet = Outlet(producer)
    outlet.send([batch(A, b"1", b"2", b"3", b"4", b"5"), batch(B, b"6")])
    assert outlet.full
    while not outlet.flushed:
        outlet.serve()
    assert producer.rows == [*((A, b"%d" % i) for i in range(1, 6)), (B, b"6")]
    assert (outlet.sent, outlet.acknowledged, outlet.full) == (6, 6, False)


def test_a_failed_delivery_stops_with_its_partition_key_and_reason():
    producer = FakeProducer()
    producer.failures = [
        DeliveryFailure(A, b"k" * 200, KafkaError("too large", code=10)),
        DeliveryFailure(B, None, KafkaError("too large", code=10)),
    ]
    with pytest.raises(KafkaError, match=r"a-0 with key 'k{80}' was not written \(and 1 more\): too large") as caught:
        Outlet(producer).serve()
    assert caught.value.code == 10


def test_what_is_abandoned_is_left_to_a_producer_that_is_closed():
    first, second = FakeProducer(room=2), FakeProducer()
    outlet = Outlet(first, lambda: second)
    outlet.send([batch(A, b"1", b"2", b"3")])
    outlet.abandon()
    assert outlet.flushed
    assert first.log[-1] == "close"
    outlet.send([batch(B, b"4")])
    assert (first.rows, second.rows) == ([(A, b"1"), (A, b"2")], [(B, b"4")])


class Picky(FakeProducer):
    """Refuses all that was sent since the last poll if one value of it is too large."""

    def __init__(self) -> None:
        super().__init__()
        self._sent: list[OutBatch] = []
        self.written: list[bytes | None] = []

    def produce(self, batch: OutBatch) -> int:
        self._sent += [batch.part(row, row + 1) for row in range(len(batch))]
        return super().produce(batch)

    def poll(self, *, timeout_ms: int) -> Delivered:
        sent, self._sent = self._sent, []
        delivered = super().poll(timeout_ms=timeout_ms)
        if all(len(row.values[0] or b"") < 100 for row in sent):
            self.written += [row.values[0] for row in sent]
            return delivered
        error = KafkaError("too large", code=10)
        return Delivered(0, [DeliveryFailure(A, row.keys[0], error, len(row.values[0] or b""), row) for row in sent])


def sending(sizes: list[int], **settings: Any) -> tuple[Outlet, Outbox, Picky]:
    """What a task makes of sizes, on its way out."""
    app = App("app")
    app.stream("in", key=str, value=str).map_values(lambda size: "x" * int(size), value=str).to("a")
    topology = app.topology()
    outbox = Outbox({"a": 1, "dead": 1})
    (spec,) = internal_topics(topology, "app", {"in": 1, "a": 1}).tasks
    wiring = Wiring("app", EngineSettings(dead_letters="dead", **settings), outbox, GlobalTables(topology), 0)
    task = compile_task(topology.subtopologies[0], spec, wiring)
    task.start()
    values = [b"%d" % size for size in sizes]
    offsets = range(len(values))
    task.add(
        Batch(TopicPartition("in", 0), offsets, [5] * len(values), [b"k"] * len(values), values, None, len(values))
    )
    task.process(max_rows=100, up_to_ms=None, wall_ms=0)
    producer = Picky()
    return Outlet(producer), outbox, producer


def test_of_a_batch_that_is_refused_only_what_is_too_large_is_left_out() -> None:  # X16
    outlet, outbox, producer = sending([1, 2, 3, 400, 5, 600, 7], on_send_error="skip")
    outlet.send(outbox.drain())
    for _ in flushed(outlet, outbox):
        outlet.serve()
    assert producer.written == [*(b"x" * size for size in (1, 2, 3, 5, 7)), b"400", b"600"]
    assert outlet.sent == outlet.acknowledged + outlet.refused


def test_a_flush_waits_for_dead_letters() -> None:  # X19: or they would be lost when the offsets are stored
    outlet, outbox, producer = sending([400], on_send_error="skip")
    outlet.send(outbox.drain())
    for _ in flushed(outlet, outbox):
        outlet.serve()
    assert (producer.written, len(outbox)) == ([b"400"], 0)


def test_a_handler_that_fails_stops_with_the_source_record() -> None:
    def handler(failed: FailedRecord) -> str:
        raise ValueError(failed.value)

    outlet, outbox, _ = sending([400], on_send_error=handler)
    outlet.send(outbox.drain())
    with pytest.raises(ProcessingError, match=r"task 0_0, in-0 offset 0: on_send_error failed: ValueError: b'400'"):
        outlet.serve()


def test_what_is_not_the_records_own_fault_is_not_asked_about() -> None:
    producer = FakeProducer()
    _, outbox, _ = sending([1], on_send_error="skip")
    (batch,) = outbox.drain()
    for error in (KafkaError("not allowed", code=29), KafkaError("late", code=-192, retriable=True)):
        producer.failures = [DeliveryFailure(A, b"k", error, 1, batch)]
        with pytest.raises(KafkaError, match=str(error)) as caught:
            Outlet(producer).serve()
        assert caught.value.retriable == error.retriable
