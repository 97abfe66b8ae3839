"""Results for keys that come often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST = 100_000
PATIENCE = 4  # it begins anew after so many times as many others


class Remembered(dict[K, V], Generic[K, V]):
    """What a function gives for the first `most` keys. For others it is asked each time: where there are more keys than
    are remembered, to replace one by another costs more than to ask. Now and then it begins anew, for keys change.

    >>> lengths = Remembered(len, most=1)
    >>> [lengths[word] for word in ("a", "bb", "a")], list(lengths)
    ([1, 2, 1], ['a'])
    >>> [lengths["cc"] for _ in range(5)], list(lengths)
    ([2, 2, 2, 2, 2], ['cc'])
    """

    def __init__(self, of: Callable[[K], V], most: int = MOST) -> None:
        super().__init__()
        self._of = of
        self._most = most
        self._others = 0

    def __missing__(self, key: K) -> V:
        found = self._of(key)
        if len(self) >= self._most:
            self._others += 1
            if self._others < PATIENCE * self._most:
                return found
            self.clear()
            self._others = 0
        self[key] = found
        return found
