"""What is due when: keys that fall silent, and what time it is when no record comes to tell it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush


class Silences:
    """Keys by the time when they will have been silent for `delay_ms`.

    Cost grows with the reports, not with the keys: each key has one entry, which is moved on when it comes up
    and its key was heard meanwhile.

    >>> silences = Silences(10_000)
    >>> silences.heard("a", 0); silences.heard("b", 500); silences.heard("a", 7_000)
    >>> list(silences.due(10_499)), list(silences.due(17_000))
    ([], [('b', 10500), ('a', 17000)])
    """

    def __init__(self, delay_ms: int, last_heard: Iterable[tuple[str, int]] = ()) -> None:
        self._delay_ms = delay_ms
        self._last_heard = dict(last_heard)
        self._queue = [(last_ms + delay_ms, key) for key, last_ms in self._last_heard.items()]
        heapify(self._queue)

    def heard(self, key: str, at_ms: int) -> None:
        """Note a sign of life; one older than the last changes nothing."""
        last_ms = self._last_heard.get(key)
        if last_ms is None:
            heappush(self._queue, (at_ms + self._delay_ms, key))
        if last_ms is None or at_ms > last_ms:
            self._last_heard[key] = at_ms

    def due(self, now_ms: int) -> Iterator[tuple[str, int]]:
        """The keys silent for long enough by `now_ms`, each with its due time, earliest first; forgets them."""
        queue = self._queue
        while queue and queue[0][0] <= now_ms:
            entry_ms, key = heappop(queue)
            due_ms = self._last_heard[key] + self._delay_ms
            if due_ms > entry_ms:
                heappush(queue, (due_ms, key))
            else:
                del self._last_heard[key]
                yield key, due_ms


class RunningTime:
    """Stream time that goes on by the wall clock where it stands still for longer than `allowance_ms`.

    While records come, also old ones from a backlog, it is stream time.

    >>> time = RunningTime(allowance_ms=5_000)
    >>> time.now(stream_ms=100, wall_ms=70_000), time.now(100, 75_000), time.now(100, 75_001), time.now(120, 75_100)
    (100, 100, 5101, 120)
    """

    def __init__(self, allowance_ms: int) -> None:
        self._allowance_ms = allowance_ms
        self._stream_ms = -1
        self._since_ms = 0

    def now(self, stream_ms: int, wall_ms: int) -> int:
        """The time by which timers are due."""
        if stream_ms != self._stream_ms:
            self._stream_ms = stream_ms
            self._since_ms = wall_ms
        still_ms = wall_ms - self._since_ms
        return stream_ms + still_ms if still_ms > self._allowance_ms else stream_ms
