"""`python -m benchmarks.brokers`: the embedded broker beside Apache Kafka, one after the other in one run.

Each broker is on one core and the client on the other. Throughput is the client's: it writes records of 100 bytes in
lz4 batches, and reads them back. CPU is that of the whole process, the broker's and the client's, for each of
these. Latencies are those of single records, one after the other: from `produce` to its acknowledgement (acks=all,
no linger), and from `produce` to the moment at which a waiting consumer has it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.machine import description
from benchmarks.node import LIMIT_S, Topics, node

CLIENT_CORE, BROKER_CORE = 0, 1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
VALUE = os.urandom(50).hex().encode()
VALUES = [os.urandom(50).hex().encode() for _ in range(10_000)]  # too many for a batch to be compressed to nothing


@dataclass(frozen=True, slots=True)
class Bulk:
    """Records a second, and CPU by record in us, of the client and of the broker."""

    per_second: float
    client_us: float
    broker_us: float

    @property
    def share(self) -> float:
        """What the broker takes of the CPU that the client takes."""
        return self.broker_us / self.client_us


@dataclass(frozen=True, slots=True)
class Latency:
    """Of single records, in ms."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    write: Bulk
    read: Bulk
    acknowledged: Latency
    end_to_end: Latency


class Bench:
    """Measures one broker, whose process is `pid`."""

    def __init__(self, name: str, bootstrap: str, pid: int) -> None:
        self._name = name
        self._bootstrap = bootstrap
        self._pid = pid
        self._topics = Topics(bootstrap)

    def result(self, records: int, singles: int) -> Result:
        self._topics.create("bench-bulk")
        self._topics.create("bench-single")
        self._write("bench-bulk", records // 10)  # connections, caches and the JVM's compiler warm up
        write = self._bulk(records, lambda: self._write("bench-bulk", records))
        total = records + records // 10
        self._read("bench-bulk", total)
        read = self._bulk(total, lambda: self._read("bench-bulk", total))
        return Result(self._name, write, read, self._acknowledged(singles), self._end_to_end(singles))

    def _bulk(self, records: int, work: Callable[[], None]) -> Bulk:
        started, client, broker = time.perf_counter(), time.process_time(), cpu_s(self._pid)
        work()
        wall_s = time.perf_counter() - started
        client_s, broker_s = time.process_time() - client, cpu_s(self._pid) - broker
        return Bulk(records / wall_s, client_s * 1e6 / records, broker_s * 1e6 / records)

    def _write(self, topic: str, records: int) -> None:
        with self._producer(linger_ms=50) as producer:
            for number in range(records):
                while True:
                    try:
                        producer.produce(topic, VALUES[number % len(VALUES)], partition=0)
                        break
                    except BufferError:
                        producer.poll(0.01)
                if number % 10_000 == 0:
                    producer.poll(0)
            if left := producer.flush(LIMIT_S):
                raise RuntimeError(f"{left} records were not acknowledged in {LIMIT_S:.0f} s")

    def _read(self, topic: str, records: int) -> None:
        consumer = self._consumer(topic, 0)
        until = time.monotonic() + LIMIT_S
        while records > 0:
            found = consumer.consume(10_000, 0) or consumer.consume(1, 1.0)
            records -= sum(message.error() is None for message in found)
            if time.monotonic() > until:
                raise RuntimeError(f"{records} records did not come in {LIMIT_S:.0f} s")
        consumer.close()

    def _acknowledged(self, count: int) -> Latency:
        with self._producer(linger_ms=0) as producer:
            told: list[float] = []

            def one() -> float:
                started = time.perf_counter()
                producer.produce("bench-single", VALUE, partition=0, on_delivery=lambda *_: told.append(1))
                before = len(told)
                while len(told) == before:
                    producer.poll(LIMIT_S)
                return time.perf_counter() - started

            return latency([one() for _ in range(count)])

    def _end_to_end(self, count: int) -> Latency:
        with self._producer(linger_ms=0) as producer:
            producer.produce("bench-single", VALUE, partition=0)
            producer.flush(LIMIT_S)
            end = self._end("bench-single")
            consumer = self._consumer("bench-single", end - 1)
            if consumer.poll(LIMIT_S) is None:
                raise RuntimeError("the record before the first did not come")

            def one() -> float:
                started = time.perf_counter()
                producer.produce("bench-single", VALUE, partition=0)
                if consumer.poll(LIMIT_S) is None:
                    raise RuntimeError("a record did not come")
                return time.perf_counter() - started

            found = latency([one() for _ in range(count)])
            consumer.close()
            return found

    def _end(self, topic: str) -> int:
        consumer = self._consumer(topic, 0)
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), LIMIT_S)
        consumer.close()
        return int(end)

    @contextmanager
    def _producer(self, *, linger_ms: int) -> Iterator[Producer]:
        settings: dict[str, Any] = {
            "bootstrap.servers": self._bootstrap,
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": linger_ms,
            "queue.buffering.max.messages": 500_000,
            "delivery.report.only.error": linger_ms > 0,
        }
        producer = Producer(settings)
        try:
            yield producer
        finally:
            producer.flush(LIMIT_S)

    def _consumer(self, topic: str, offset: int) -> Consumer:
        settings = {
            "bootstrap.servers": self._bootstrap,
            "group.id": "bench",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 1,
            "queued.min.messages": 100_000,
        }
        consumer = Consumer(settings)
        consumer.assign([TopicPartition(topic, 0, offset)])
        return consumer


def latency(seconds: Sequence[float]) -> Latency:
    """Without the first tenth, in which everything warms up.

    >>> latency([9.0] * 10 + [0.001] * 90).p99
    1.0
    """
    cuts = quantiles(seconds[len(seconds) // 10 :], n=100)
    return Latency(cuts[49] * 1000, cuts[98] * 1000)


def cpu_s(pid: int) -> float:
    """User and system time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


@contextmanager
def embedded(core: int) -> Iterator[tuple[str, int]]:
    """The embedded broker with its data on disk, on one core: its address and process."""
    with tempfile.TemporaryDirectory(prefix="millstream-benchmarks-") as data:
        command = ["taskset", "-c", str(core), sys.executable, "-m", "millstream.broker"]
        command += ["--listen", "127.0.0.1:0", "--data", data]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("millstream broker ready on "):
                raise RuntimeError("the embedded broker did not start")
            try:
                yield line.split()[4], process.pid
            finally:
                process.terminate()


def table(results: Sequence[Result]) -> str:
    """In Markdown, a column for each broker, and what the first is to the second.

    >>> one = Result("a", Bulk(100.0, 1.0, 0.2), Bulk(200.0, 1.0, 0.1), Latency(0.2, 1.0), Latency(0.4, 2.0))
    >>> print(table([one, one]).splitlines()[2])
    | write: records/s | 100 | 100 | 1.00 |
    """
    rows: list[tuple[str, Callable[[Result], float], str]] = [
        ("write: records/s", lambda each: each.write.per_second, ",.0f"),
        ("write: client's CPU, us a record", lambda each: each.write.client_us, ".2f"),
        ("write: broker's CPU, us a record", lambda each: each.write.broker_us, ".2f"),
        ("write: broker's CPU to the client's", lambda each: each.write.share, ".2f"),
        ("read: records/s", lambda each: each.read.per_second, ",.0f"),
        ("read: client's CPU, us a record", lambda each: each.read.client_us, ".2f"),
        ("read: broker's CPU, us a record", lambda each: each.read.broker_us, ".2f"),
        ("read: broker's CPU to the client's", lambda each: each.read.share, ".2f"),
        ("acknowledgement p50, ms", lambda each: each.acknowledged.p50, ".2f"),
        ("acknowledgement p99, ms", lambda each: each.acknowledged.p99, ".2f"),
        ("produce to consume p50, ms", lambda each: each.end_to_end.p50, ".2f"),
        ("produce to consume p99, ms", lambda each: each.end_to_end.p99, ".2f"),
    ]
    lines = [f"| | {' | '.join(each.name for each in results)} | ratio |", f"|---|{'---:|' * (len(results) + 1)}"]
    for title, value, form in rows:
        found = [value(each) for each in results]
        ratio = found[0] / found[1] if len(found) > 1 and found[1] else float("nan")
        lines.append(f"| {title} | {' | '.join(format(each, form) for each in found)} | {ratio:.2f} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.brokers", description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--singles", type=int, default=3_000, help="records whose latency is measured")
    options = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    results = []
    print("the embedded broker ...", flush=True)
    with embedded(BROKER_CORE) as (bootstrap, pid):
        results.append(Bench("embedded", bootstrap, pid).result(options.records, options.singles))
    print("Apache Kafka ...", flush=True)
    with node(BROKER_CORE) as kafka:
        results.append(Bench("Apache Kafka", kafka.bootstrap, kafka.pid).result(options.records, options.singles))
    print(f"\n{options.records:,} records of {len(VALUE)} bytes; {description()}\n\n{table(results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
