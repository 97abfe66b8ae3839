"""A worker says which tasks it has, and of which it keeps copies, in the tasks topic, so that the world finds them.

A thread beside the loop does it, with a producer of its own: what it writes belongs to no transaction, and the loop
waits for none of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from millstream.client.contract import Producer
from millstream.errors import KafkaError
from millstream.model import TopicPartition
from millstream.runtime import WorkerStatus
from millstream.runtime.clock import Clock
from millstream.runtime.owners import OWNER, owner_record, standby_key

LOG = logging.getLogger("millstream.service")

PERIOD_S = 0.25


class Announcer:
    """Writes this worker's address into the partition of each task that it was given since the last look, or that it
    keeps a standby copy of since then.
    """

    def __init__(self, producers: Callable[[], Producer], topic: str, address: str, clock: Clock) -> None:
        self._producers = producers
        self._producer = producers()
        self._topic = topic
        self._address = address
        self._clock = clock
        self._told: set[tuple[int, bytes]] = set()  # partitions, and as what

    def look(self, status: WorkerStatus) -> None:
        """One look; what the broker didn't take is written again at the next, with a new producer if need be."""
        try:
            self._look(status)
        except KafkaError as error:
            LOG.warning("others cannot be told where this worker answers: %s; trying again", error)
            if error.fatal:
                self._producer.close()
                self._producer = self._producers()
                self._told.clear()

    def close(self) -> None:
        """Give up what is not told."""
        self._producer.close()

    def _look(self, status: WorkerStatus) -> None:
        held = {(task.partition, OWNER) for task in status.tasks}
        held |= {(copy.partition, standby_key(copy.rank)) for copy in status.standbys}
        self._told &= held
        for number, key in sorted(held - self._told):
            record = owner_record(TopicPartition(self._topic, number), self._address, self._clock.wall_ms(), key)
            if self._producer.produce(record):
                self._told.add((number, key))
        for failure in self._producer.poll(timeout_ms=0).failures:
            self._told.discard((failure.target.partition, failure.key or OWNER))
            LOG.warning("%s does not tell who has its task: %s; trying again", failure.target, failure.error)


@contextmanager
def announcing(announcer: Announcer, status: Callable[[], WorkerStatus]) -> Iterator[None]:
    """Look again and again, in a thread."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(PERIOD_S):
            announcer.look(status())

    thread = threading.Thread(target=run, name="millstream-announcing", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
