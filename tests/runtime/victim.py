"""A worker in a process of its own that kills itself, `kill -9`, at a chosen write or commit.

`python -m tests.runtime.victim BOOTSTRAP NAME SOURCE SINK CONSUMER SETTINGS POINT`; CONSUMER are librdkafka properties
and SETTINGS the application's, as JSON; POINT none:0:before: never, it ends when told by SIGTERM.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping

from millstream.app import App
from millstream.client.contract import CommitOutcome, CommittedOffset, Membership, Producer
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.model import OutBatch, TopicPartition
from millstream.runtime import Worker

ROUND_RECORDS = 10


def program(name: str, source: str, sink: str, **settings: object) -> App:
    """Per word, the ids of all records that had it: the same set however often a record is processed."""
    app = App(name, commit_interval="10ms", round_records=ROUND_RECORDS, **settings)
    (
        app.stream(source)
        .group_by(lambda value: value["word"])
        .aggregate(initializer=list, aggregator=lambda _key, value, ids: sorted({*ids, value["id"]}), store="ids")
        .to_stream()
        .to(sink)
    )
    return app


class Fuse:
    """Kills the process before or after the n-th call of a kind, as a point like "commit:2:after" says."""

    def __init__(self, point: str) -> None:
        self.kind, count, self.side = point.split(":")
        self.left = int(count)

    def before(self, kind: str) -> None:
        self.left -= kind == self.kind
        if kind == self.kind and self.left == 0 and self.side == "before":
            os.kill(os.getpid(), signal.SIGKILL)

    def burns(self, kind: str) -> bool:
        """Whether the process is to die once this call has taken effect."""
        return kind == self.kind and self.left == 0 and self.side == "after"


class FusedProducer:
    def __init__(self, producer: Producer, fuse: Fuse) -> None:
        self._producer = producer
        self._fuse = fuse
        self.poll, self.outstanding, self.close = producer.poll, producer.outstanding, producer.close

    def produce(self, batch: OutBatch) -> int:
        kind = "changelog" if batch.target.topic.endswith("-changelog") else "output"
        self._fuse.before(kind)
        taken = self._producer.produce(batch)
        if self._fuse.burns(kind):
            while self._producer.outstanding():
                self._producer.poll(timeout_ms=20)
            os.kill(os.getpid(), signal.SIGKILL)
        return taken


class FusedMembership:
    def __init__(self, membership: Membership, fuse: Fuse) -> None:
        self._membership = membership
        self._fuse = fuse
        self.poll, self.release = membership.poll, membership.release
        self.committed, self.close = membership.committed, membership.close

    def commit(self, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        self._fuse.before("commit")
        self._membership.commit(offsets)
        if self._fuse.burns("commit"):
            while not any(isinstance(event, CommitOutcome) for event in self._membership.poll(timeout_ms=20)):
                pass
            os.kill(os.getpid(), signal.SIGKILL)


class FusedClient(LibrdkafkaClient):
    fuse = Fuse("none:0:before")

    def producer(self) -> Producer:  # type: ignore[override]
        return FusedProducer(super().producer(), self.fuse)

    def membership(self, group: str, topic: str, **options) -> Membership:  # type: ignore[override]
        return FusedMembership(super().membership(group, topic, **options), self.fuse)


def main() -> None:
    bootstrap, name, source, sink, consumer, settings, point = sys.argv[1:]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stop.set())
    print("it may be told to end", flush=True)
    client = FusedClient(bootstrap, consumer=json.loads(consumer))
    client.fuse = Fuse(point)
    app = program(name, source, sink, **json.loads(settings))
    Worker(app.topology(), app.settings, client).run(stop)


if __name__ == "__main__":
    main()
