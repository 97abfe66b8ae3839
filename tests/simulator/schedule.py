"""What happens when, in one thread: events in the order of a manual clock, and one source of chance."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from random import Random

WALL_BASE_MS = 1_700_000_000_000


class Schedule:
    """Events by time; those of the same time in an order that the seed decides."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.now_ms = 0.0
        self.events = 0
        self.story: list[tuple[float, str, tuple[object, ...]]] = []
        self._heap: list[tuple[float, float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def at(self, at_ms: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (max(at_ms, self.now_ms), self.chance.random(), next(self._count), event))

    def after(self, delay_ms: float, event: Callable[[], None]) -> None:
        self.at(self.now_ms + delay_ms, event)

    def often(self, probability: float) -> bool:
        return probability > 0 and self.chance.random() < probability

    def tell(self, text: str, *given: object) -> None:
        """A line of the story, put together only if somebody reads it."""
        self.story.append((self.now_ms, text, given))

    def run_until(self, done: Callable[[], bool], limit_ms: float) -> bool:
        """Whether `done` came true before the time was over; it is asked now and then."""
        asked_ms = self.now_ms
        while self._heap and self.now_ms < limit_ms:
            if self.now_ms >= asked_ms:
                if done():
                    return True
                asked_ms = self.now_ms + 50
            self.step()
        return done()

    def step(self) -> None:
        at_ms, _, _, event = heapq.heappop(self._heap)
        self.now_ms = at_ms
        self.events += 1
        event()


def told(story: list[tuple[float, str, tuple[object, ...]]]) -> list[str]:
    return [f"{at_ms:9.1f}  {text.format(*given)}" for at_ms, text, given in story]
