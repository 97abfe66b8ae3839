from __future__ import annotations

import pytest
from tests.runtime.fakes import FakeProducer

from millstream.client.contract import DeliveryFailure
from millstream.errors import KafkaError
from millstream.model import OutBatch, TopicPartition
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
