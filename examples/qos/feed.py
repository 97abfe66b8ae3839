"""The feed: a match's records into `client-reports`, at the pace of the match, faster, or as fast as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Event as Flag
from typing import Any, Final, Protocol

from confluent_kafka import Producer

from millstream.errors import KafkaError

from .definitions import PARTITIONS, REPORTS
from .schedule import Row, final_ticks, rows
from .source import Event

FLUSH_S: Final = 30.0
ROUND: Final = 256
SHORTEST_WAIT_S: Final = 0.001


class Sender(Protocol):
    """What the feed needs of a `confluent_kafka.Producer`."""

    def produce(
        self,
        topic: str,
        value: bytes | None = ...,
        key: bytes | None = ...,
        *,
        partition: int,
        timestamp: int,
        on_delivery: Callable[..., Any],
    ) -> None: ...

    def poll(self, timeout: float, /) -> int: ...

    def flush(self, timeout: float, /) -> int: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """When the match starts, in event time, and how many times faster than that it runs; None: as fast as it goes."""

    start_ms: int
    speed: float | None = 1.0
    partitions: int = PARTITIONS


@dataclass(slots=True)
class Counts:
    """What has been sent so far, up to which event time; read by others while the feed runs."""

    reports: int = 0
    ticks: int = 0
    at_ms: int = 0
    complete: bool = False


def reports_producer(bootstrap: str) -> Producer:
    """A producer that keeps the order of each partition also when it has to send again."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 5,
            "delivery.report.only.error": True,
            "queue.buffering.max.messages": 200_000,
        }
    )


class Feed:
    """Sends one match. `counts` tells how far it is; `stop` may be set from another thread.

    `told` is called with the counts now and then: every ROUND records, and before it waits.
    """

    def __init__(self, producer: Sender, pace: Pace, told: Callable[[Counts], None] = lambda _counts: None) -> None:
        self.counts = Counts()
        self._told = told
        self.stop = Flag()
        self._producer = producer
        self._pace = pace
        self._error: str | None = None

    def run(self, events: Iterable[Event]) -> Counts:
        """Send all events with their ticks, then the final ticks; those are left out if it is stopped before the end.

        Raises:
            KafkaError: a record was refused, or not acknowledged in time.
        """
        pace = self._pace
        last_ms = pace.start_ms
        began = time.monotonic()
        for number, row in enumerate(rows(events, pace.start_ms, pace.partitions)):
            last_ms = row.timestamp_ms
            if pace.speed is not None:
                self._wait((last_ms - pace.start_ms) / 1000 / pace.speed - (time.monotonic() - began))
            if self.stop.is_set():
                break
            self._send(row)
            if number % ROUND == 0:
                self._producer.poll(0)
                self._check()
                self._told(self.counts)
        else:
            for row in final_ticks(last_ms, pace.partitions):
                self._send(row)
            self.counts.complete = True
        self.flush()
        return self.counts

    def flush(self) -> None:
        """Wait until the broker has everything that was sent."""
        left = self._producer.flush(FLUSH_S)
        self._check()
        if left:
            raise KafkaError(f"{REPORTS}: {left} records were not acknowledged in {FLUSH_S:.0f} s; is the broker up?")

    def _wait(self, ahead_s: float) -> None:
        if ahead_s >= SHORTEST_WAIT_S:
            self._producer.poll(0)
            self._told(self.counts)
            self.stop.wait(ahead_s)

    def _send(self, row: Row) -> None:
        while True:
            try:
                self._producer.produce(
                    REPORTS,
                    row.value,
                    row.key,
                    partition=row.partition,
                    timestamp=row.timestamp_ms,
                    on_delivery=self._delivered,
                )
                break
            except BufferError:
                self._producer.poll(0.1)
                self._check()
        self.counts.at_ms = row.timestamp_ms
        if row.value is None:
            self.counts.ticks += 1
        else:
            self.counts.reports += 1

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None and self._error is None:
            self._error = f"{REPORTS}-{message.partition()}: the broker did not take a record: {error}"

    def _check(self) -> None:
        if self._error is not None:
            raise KafkaError(self._error)
