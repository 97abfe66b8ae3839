"""The settings that tasks need to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from millstream.model import TopicPartition

Verdict: TypeAlias = Literal["fail", "skip"]
BadTime: TypeAlias = Literal["fail", "skip", "partition_time"]
RetentionRule: TypeAlias = Literal["lossless", "kafka"]


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """A source record that could not be decoded, processed or encoded, or whose result was refused, for a handler.

    `node` names the operator; `key` and `value` are the source record's bytes. In a punctuation there is none.
    The error of a result that the broker, or its client, did not take is a `KafkaError`.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> def handler(failed: ms.FailedRecord) -> str:
    ...     print(failed.node, failed.offset, failed.value, repr(failed.error))
    ...     return "skip" if isinstance(failed.error, ZeroDivisionError) else "fail"
    >>> app = ms.App("shares", on_error=handler)
    >>> app.stream("parts", value=str).map_values(lambda n: 100 // int(n), value=int, name="share").to("shares")
    >>> drive(app, ("parts", "a", "4"), ("parts", "b", "0"))
    share 1 b'0' ZeroDivisionError('integer division or modulo by zero')
    {'shares': [('a', 25)]}
    """

    node: str
    source: TopicPartition | None
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    error: Exception


Handler: TypeAlias = Verdict | Callable[[FailedRecord], Verdict]


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What to do with records that fail (rules X14-X16), where they go (X19), and how long to wait for inputs (T7).

    `wait_for_inputs_ms` None never waits; 0 waits for a partition's data only while it is known to have some.
    `retention_rule` "kafka" lets stores forget by their own clocks, as Kafka Streams' do (rules W20, Z1); "lossless"
    only what no record in time can need. `emit_interval_ms`: how often, by wall clock, results are looked for that wait
    for their window to close (rule E9). `idle_after_ms`: without records for so long, operators' time goes on by the
    wall clock, and partitions without data hold no others back; None: never.
    """

    on_decode_error: Handler = "fail"
    on_error: Handler = "fail"
    on_send_error: Handler = "fail"
    on_bad_time: BadTime = "fail"
    dead_letters: str | None = None
    wait_for_inputs_ms: int | None = 0
    retention_rule: RetentionRule = "lossless"
    emit_interval_ms: int = 0
    idle_after_ms: int | None = None
