"""The fixture that runs a test on either broker."""

from __future__ import annotations

from tests.kafka.records import consume, produce


def test_either_broker_keeps_what_a_group_then_reads(any_broker: str) -> None:
    values = [b"%d" % number for number in range(100)]
    produce(any_broker, "any-broker-smoke", values)
    assert consume(any_broker, "any-broker-smoke", 100) == values
