"""What an application wrote, in a form that can be compared with what the other wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct
from typing import TypeAlias

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from benchmarks.workloads import Compared, Windows

Written: TypeAlias = tuple[bytes, bytes]  # key, value

LIMIT_S = 30.0
BATCH = 10_000
DELETED = b"null"
MASK = (1 << 128) - 1

_TIME = Struct(">q")
_canonical = msgspec.json.Encoder(order="sorted").encode
_parsed = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Outputs:
    """`written` records; `answers` of them count, and `digest` is that of the answers.

    An answer is each record, or the last one of each key unless that deleted it.

    The digest is a sum of the answers' own digests: it says nothing of their order, and counts each as often as it is
    there.
    """

    written: int
    answers: int
    digest: int

    def same_as(self, other: Outputs) -> bool:
        """Whether both gave the same answers; how many updates came before a last one is not compared."""
        return (self.answers, self.digest) == (other.answers, other.digest)


def summary(records: Iterable[Written], compared: Compared) -> Outputs:
    """Values are compared as JSON: the order of members and the way a number is written make no difference.

    >>> ours = summary([(b"k", b'{"a":1,"b":2.0}'), (b"k", b'{"a":2,"b":2.0}')], "last")
    >>> ours.same_as(summary([(b"k", b'{"b":2.00,"a":2}')], "last"))
    True
    """
    return _last(records) if compared == "last" else _every(records)


def read(bootstrap: str, topic: str) -> Iterable[Written]:
    """Every record of a topic of one partition."""
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": "benchmarks-outputs",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "fetch.queue.backoff.ms": 1,
        "enable.partition.eof": True,
        "log_level": 0,
    }
    with Consumer(settings) as consumer:
        partition = TopicPartition(topic, 0)
        _, end = consumer.get_watermark_offsets(partition, timeout=LIMIT_S)
        consumer.assign([TopicPartition(topic, 0, 0)])
        position = 0
        while position < end:
            messages = consumer.consume(min(BATCH, end - position), LIMIT_S)
            if not messages:
                raise RuntimeError(f"reading {topic}: nothing came for {LIMIT_S:.0f} s at offset {position} of {end}")
            for message in messages:
                error = message.error()
                if error is None:
                    yield message.key() or b"", message.value() or DELETED
                elif error.name() != "_PARTITION_EOF":
                    raise KafkaException(error)
                position = (message.offset() or 0) + (error is None)


def windowed(records: Iterable[Written], windows: Windows) -> Iterable[Written]:
    r"""What libraries wrote whose values have their window's `start` and `end`, as Kafka Streams has it: in the key.

    The end is exclusive. A session that has become longer takes the place of what it was.

    >>> list(windowed([(b"k", b'{"start":1,"end":11,"n":2}')], "tumbling"))
    [(b'k\x00\x00\x00\x00\x00\x00\x00\x01', b'{"n":2}')]
    """
    ends: dict[tuple[bytes, int], int] = {}
    for key, value in records:
        fields = _parsed(value)
        start, end = fields.pop("start"), fields.pop("end", 0)
        if windows == "tumbling":
            yield key + _TIME.pack(start), _canonical(fields)
            continue
        before = ends.get((key, start))
        ends[key, start] = end
        if before is not None and before != end:
            yield key + _TIME.pack(before - 1) + _TIME.pack(start), DELETED
        yield key + _TIME.pack(end - 1) + _TIME.pack(start), _canonical(fields)


def _every(records: Iterable[Written]) -> Outputs:
    written = total = 0
    for key, value in records:
        written += 1
        total += _digest(key, value)
    return Outputs(written, written, total & MASK)


def _last(records: Iterable[Written]) -> Outputs:
    written = 0
    last: dict[bytes, bytes] = {}
    for key, value in records:
        written += 1
        last[key] = value
    last = {key: value for key, value in last.items() if value != DELETED}
    return Outputs(written, len(last), sum(_digest(key, value) for key, value in last.items()) & MASK)


def _digest(key: bytes, value: bytes) -> int:
    answer = b"%d:%b%b" % (len(key), key, _canonical(_parsed(value)))
    return int.from_bytes(hashlib.blake2b(answer, digest_size=16).digest(), "little")
