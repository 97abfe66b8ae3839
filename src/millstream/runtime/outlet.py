"""The way out: encoded rows to the producer, as fast as it takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from millstream.client.contract import Producer
from millstream.errors import KafkaError
from millstream.model import OutBatch


class Outlet:
    """Hands rows to the producer in order, and keeps what it doesn't take yet."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._waiting: deque[OutBatch] = deque()
        self.sent = 0
        self.acknowledged = 0

    def send(self, batches: Iterable[OutBatch]) -> None:
        self._waiting.extend(batches)
        self._push()

    def serve(self, timeout_ms: int = 0) -> None:
        """Take reports, wait for some up to timeout_ms, and push on. Raises what became of a row that failed."""
        delivered = self._producer.poll(timeout_ms=timeout_ms)
        self.acknowledged = min(self.acknowledged + delivered.acknowledged, self.sent)
        if delivered.failures:
            first, others = delivered.failures[0], len(delivered.failures) - 1
            also = f" (and {others} more)" if others else ""
            raise KafkaError(
                f"a record for {first.target} with key {_shown(first.key)} was not written{also}: {first.error}",
                code=first.error.code,
                retriable=first.error.retriable,
                fatal=first.error.fatal,
            )
        self._push()

    @property
    def full(self) -> bool:
        """Whether the producer's queue is full: nothing more should be put out before it has drained."""
        return bool(self._waiting)

    @property
    def flushed(self) -> bool:
        return not self._waiting and self._producer.outstanding() == 0

    def clear(self) -> None:
        """Forget what the producer has not taken, and what it has: nothing of it is to be written any more."""
        self._waiting.clear()
        self.acknowledged = self.sent

    def _push(self) -> None:
        while self._waiting:
            batch = self._waiting[0]
            taken = self._producer.produce(batch)
            self.sent += taken
            if taken < len(batch):
                self._waiting[0] = _rest(batch, taken)
                return
            self._waiting.popleft()


def _rest(batch: OutBatch, taken: int) -> OutBatch:
    return OutBatch(
        batch.target,
        batch.timestamps[taken:],
        batch.keys[taken:],
        batch.values[taken:],
        batch.headers[taken:] if batch.headers is not None else None,
    )


def _shown(key: bytes | None) -> str:
    return "null" if key is None else repr(key[:80].decode(errors="replace"))
