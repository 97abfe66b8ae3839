"""Workers in threads, and topics written and read whole."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from tests.client.until import until

from millstream.app import App
from millstream.client.contract import KafkaClient
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.model import OutBatch, TopicPartition
from millstream.runtime import Worker, WorkerStatus
from millstream.serde.murmur2 import partition_for

EVENT_TIME = 1_700_000_000_000


class Running:
    """A worker in a thread."""

    def __init__(self, app: App, client: KafkaClient) -> None:
        self.worker = Worker(app.topology(), app.settings, client)
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.worker.run(self._stop)
        except BaseException as error:
            self.error = error

    def until(self, reached, *, limit_s: float = 60) -> WorkerStatus:
        """Wait until the status fulfils a condition."""

        def look() -> bool:
            if self.error is not None:
                raise self.error
            self._thread.join(0.02)
            return reached(self.worker.status())

        until(look, limit_s=limit_s)
        return self.worker.status()

    def until_failed(self, *, limit_s: float = 60) -> BaseException:
        self._thread.join(limit_s)
        assert self.error is not None, "the worker has not failed"
        return self.error

    def stop(self) -> WorkerStatus:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the worker has not stopped"
        if self.error is not None:
            raise self.error
        return self.worker.status()

    def abort(self) -> None:
        self._stop.set()
        self._thread.join(60)


@contextmanager
def running(app: App, client: KafkaClient) -> Iterator[Running]:
    """Stopped at the end, whatever happens."""
    worker = Running(app, client)
    try:
        yield worker
    finally:
        worker.abort()


def write(
    client: LibrdkafkaClient, topic: str, rows: Iterable[tuple[bytes | None, bytes | None, int]], partitions: int
) -> None:
    """Rows of (key, value, timestamp), partitioned as Kafka does; null keys take turns."""
    columns: dict[int, list[tuple[bytes | None, bytes | None, int]]] = {}
    for turn, row in enumerate(rows):
        partition = turn % partitions if row[0] is None else partition_for(row[0], partitions)
        columns.setdefault(partition, []).append(row)
    producer = client.producer()
    for partition, taken in columns.items():
        keys, values, timestamps = zip(*taken, strict=True)
        batch = OutBatch(TopicPartition(topic, partition), timestamps, keys, values)
        assert producer.produce(batch) == len(batch)

    def flushed() -> bool:
        assert not producer.poll(timeout_ms=50).failures
        return producer.outstanding() == 0

    until(flushed)
    producer.close()


def read_all(
    client: LibrdkafkaClient, topic: str, partitions: int, *, read_committed: bool = False
) -> list[tuple[bytes | None, bytes | None, int]]:
    """Every row of a topic, in order within each partition."""
    return _read(client, {TopicPartition(topic, number) for number in range(partitions)}, read_committed=read_committed)


def read_partition(client: LibrdkafkaClient, source: TopicPartition) -> list[tuple[bytes | None, bytes | None, int]]:
    """Every row of a partition, in order."""
    return _read(client, {source})


def _read(
    client: LibrdkafkaClient, left: set[TopicPartition], *, read_committed: bool = False
) -> list[tuple[bytes | None, bytes | None, int]]:
    consumer = client.data_consumer("test", read_committed=read_committed)
    consumer.assign(dict.fromkeys(left, 0))
    rows: list[tuple[bytes | None, bytes | None, int]] = []

    def step() -> bool:
        fetched = consumer.poll(max_records=10_000, timeout_ms=50)
        for batch in fetched.batches:
            rows.extend(zip(batch.keys, batch.values, batch.timestamps, strict=True))
        left.difference_update(end.source for end in fetched.ends)
        return not left

    until(step)
    consumer.close()
    return rows


def latest(rows: Sequence[tuple[bytes | None, bytes | None, int]]) -> dict[bytes | None, bytes | None]:
    return {key: value for key, value, _ in rows}
