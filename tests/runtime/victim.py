"""A worker in a process of its own that kills itself, `kill -9`, at its n-th write or commit.

`python -m tests.runtime.victim BOOTSTRAP NAME SOURCE SINK CONSUMER N`; CONSUMER are librdkafka properties as JSON; N 0:
never, it ends when told by SIGTERM.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping

from millstream.app import App
from millstream.client.contract import CommittedOffset, Membership, Producer
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.model import OutBatch, TopicPartition
from millstream.runtime import Worker

ROUND_RECORDS = 10


def program(name: str, source: str, sink: str) -> App:
    """Per word, the ids of all records that had it: the same set however often a record is processed."""
    app = App(name, commit_interval="10ms", round_records=ROUND_RECORDS)
    (
        app.stream(source)
        .group_by(lambda value: value["word"])
        .aggregate(initializer=list, aggregator=lambda _key, value, ids: sorted({*ids, value["id"]}), store="ids")
        .to_stream()
        .to(sink)
    )
    return app


class Fuse:
    """Kills the process when it is touched for the n-th time; every second time after the call that touched it."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.after = left % 2 == 1

    def touch(self, *, after: bool) -> None:
        if after:
            self.left -= 1
        if (self.left == 0 and after and self.after) or (self.left == 1 and not after and not self.after):
            os.kill(os.getpid(), signal.SIGKILL)


class FusedProducer:
    def __init__(self, producer: Producer, fuse: Fuse) -> None:
        self._producer = producer
        self._fuse = fuse
        self.poll, self.outstanding, self.close = producer.poll, producer.outstanding, producer.close

    def produce(self, batch: OutBatch) -> int:
        self._fuse.touch(after=False)
        taken = self._producer.produce(batch)
        if self._fuse.left == 1:
            while self._producer.outstanding():
                self._producer.poll(timeout_ms=20)
        self._fuse.touch(after=True)
        return taken


class FusedMembership:
    def __init__(self, membership: Membership, fuse: Fuse) -> None:
        self._membership = membership
        self._fuse = fuse
        self.poll, self.release = membership.poll, membership.release
        self.committed, self.close = membership.committed, membership.close

    def commit(self, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        self._fuse.touch(after=False)
        self._membership.commit(offsets)
        self._fuse.touch(after=True)


class FusedClient(LibrdkafkaClient):
    fuse = Fuse(0)

    def producer(self) -> Producer:  # type: ignore[override]
        return FusedProducer(super().producer(), self.fuse)

    def membership(self, group: str, topic: str) -> Membership:  # type: ignore[override]
        return FusedMembership(super().membership(group, topic), self.fuse)


def main() -> None:
    bootstrap, name, source, sink, consumer, at = sys.argv[1:]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stop.set())
    client = FusedClient(bootstrap, consumer=json.loads(consumer))
    client.fuse = Fuse(int(at))
    app = program(name, source, sink)
    Worker(app.topology(), app.settings, client).run(stop)


if __name__ == "__main__":
    main()
