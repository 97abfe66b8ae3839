"""A run's own ground on the broker: it starts at the ends of the topics as it finds them, and knows when it is through.

So a run has nothing of an earlier one, although the topics are the same: its group begins at the ends of the input,
its reader at the ends of the outputs, and its application id, hence state and internal topics, is its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, TypeAlias, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from millstream.errors import KafkaError

from ..definitions import REPORTS
from ..topics import RESULTS

TIMEOUT_S: Final = 30.0
RETRY_S: Final = 0.05
# What a broker answers while a topic or the group's coordinator is new: no such topic, no leader, no coordinator yet.
SETTLING: Final = frozenset({3, 5, 6, 14, 15, 16})
T = TypeVar("T")
Offsets: TypeAlias = Mapping[tuple[str, int], int]


class Ground:
    """What one run asks the broker. `begin` are the ends of all topics before the run."""

    def __init__(self, bootstrap: str, application_id: str) -> None:
        self._bootstrap = bootstrap
        self.application_id = application_id
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": application_id,
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        self.begin = self.ends([REPORTS, *RESULTS])

    def start_input_here(self) -> None:
        """The application's group begins at the input's ends."""
        offsets = [TopicPartition(topic, at, end) for (topic, at), end in self.begin.items() if topic == REPORTS]
        self._asked(
            "committing where the run starts", lambda: self._consumer.commit(offsets=offsets, asynchronous=False)
        )

    def ends(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """Where each partition of the topics ends now."""
        found: dict[tuple[str, int], int] = {}
        for topic in topics:
            for at in self._partitions(topic):
                of = TopicPartition(topic, at)
                marks = self._asked(topic, partial(self._consumer.get_watermark_offsets, of, timeout=TIMEOUT_S))
                if marks is None:
                    raise KafkaError(f"{topic}-{at}: the broker does not tell its end")
                found[topic, at] = marks[1]
        return found

    def processed(self, sources: Iterable[str]) -> bool:
        """Whether everything that is in these topics now is processed, its results acknowledged, and committed.

        One topic after the other, each before those that are written from it.
        """
        return all(self._committed(self.ends([topic])) for topic in sources)

    def internal_topics(self, kind: str = "") -> list[str]:
        """The application's own topics, or those of one kind, such as repartition."""
        listed = self._asked("listing topics", lambda: self._consumer.list_topics(timeout=TIMEOUT_S))
        prefix = f"{self.application_id}-"
        return [name for name in listed.topics if name.startswith(prefix) and name.endswith(kind)]

    def clear(self) -> None:
        """Delete the run's internal topics and its group."""
        admin = AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 0})
        own = self.internal_topics()
        waiting = list(admin.delete_topics(own, operation_timeout=TIMEOUT_S).values()) if own else []
        waiting += admin.delete_consumer_groups([self.application_id]).values()
        for future in waiting:
            self._asked("deleting the run's own topics", partial(future.result, TIMEOUT_S))

    def close(self) -> None:
        self._consumer.close()

    def _committed(self, ends: Offsets) -> bool:
        asked = [TopicPartition(topic, at) for topic, at in ends]
        found = self._asked("committed offsets", lambda: self._consumer.committed(asked, timeout=TIMEOUT_S))
        return all(it.offset >= ends[it.topic, it.partition] or ends[it.topic, it.partition] == 0 for it in found)

    def _partitions(self, topic: str) -> list[int]:
        listed = self._asked(topic, lambda: self._consumer.list_topics(topic, timeout=TIMEOUT_S))
        return sorted(listed.topics[topic].partitions)

    def _asked(self, doing: str, ask: Callable[[], T]) -> T:
        until = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return ask()
            except KafkaException as failure:
                error = failure.args[0]
                if error.code() not in SETTLING or time.monotonic() > until:
                    raise KafkaError(
                        f"{doing}: {error.str()} (broker {self._bootstrap})", code=error.code()
                    ) from failure
                time.sleep(RETRY_S)
