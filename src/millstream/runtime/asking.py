"""Questions for committed offsets that may have to be asked again, while other tasks go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from millstream.client.contract import CommittedOffset, Membership
from millstream.errors import KafkaError
from millstream.model import TopicPartition
from millstream.runtime.clock import Clock

SHORTEST_MS = 250
LONGEST_MS = 4_000


class Asking:
    """Asks for a little while at a time: a transaction that a dead worker left open holds the answer back."""

    def __init__(self, membership: Membership, clock: Clock, limit_ms: int) -> None:
        self._membership = membership
        self._clock = clock
        self._limit_ms = limit_ms
        self._since_ms: float | None = None
        self._wait_ms = SHORTEST_MS
        self._again_at_ms = 0.0

    def committed(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, CommittedOffset] | None:
        """The stored offsets; None: ask again. Raises KafkaError when there is no answer within the limit."""
        now_ms = self._clock.monotonic_ms()
        if self._since_ms is None:
            self._since_ms = now_ms
        elif now_ms < self._again_at_ms:
            return None
        try:
            found = self._membership.committed(partitions, timeout_ms=min(self._wait_ms, self._limit_ms))
        except KafkaError as error:
            now_ms = self._clock.monotonic_ms()
            if not error.retriable or now_ms - self._since_ms > self._limit_ms:
                raise
            self._again_at_ms = now_ms + self._wait_ms
            self._wait_ms = min(2 * self._wait_ms, LONGEST_MS)
            return None
        self._since_ms, self._wait_ms, self._again_at_ms = None, SHORTEST_MS, 0.0
        return found
