"""Topics that are read whole."""

from __future__ import annotations

from tests.runtime.fakes import FakeData, ManualClock

from millstream.client.contract import Fetched
from millstream.model import Batch, TopicPartition
from millstream.runtime.topic_contents import read_whole

SOURCE = TopicPartition("t", 0)


class Late(FakeData):
    """Its only answer comes when the time is over."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock

    def watermarks(self, source: TopicPartition, *, timeout_ms: int) -> tuple[int, int]:
        del source, timeout_ms
        return 0, 1

    def poll(self, *, max_records: int, timeout_ms: int) -> Fetched:
        self._clock.now_ms += 10_000
        return Fetched([Batch(SOURCE, [0], [1], [b"k"], [b"v"], None, 1)], [], [])


def test_what_came_at_the_last_moment_counts():
    clock = ManualClock()
    assert [batch.values for batch in read_whole(Late(clock), [SOURCE], clock, 1_000)] == [[b"v"]]
