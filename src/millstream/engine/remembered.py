"""Results for keys that come often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from millstream.serde import BYTES, INT16, INT32, INT64, STRING, Serde

K = TypeVar("K")
V = TypeVar("V")

MOST = 100_000
FEW = 16_000  # of keys that are made in no time: to fetch one from memory, among more of them, takes longer
PATIENCE = 16  # it begins anew after so many times as many others


def most_of(serde: Serde[Any]) -> int:
    """How many of a serde's keys are worth remembering."""
    return FEW if any(serde is quick for quick in (STRING, BYTES, INT16, INT32, INT64)) else MOST


class Remembered(dict[K, V], Generic[K, V]):
    """What a function gives for the first `most` keys. For others it is asked each time: where there are more keys than
    are remembered, to replace one by another costs more than to ask. Now and then it begins anew, for keys change.

    >>> lengths = Remembered(len, most=1)
    >>> [lengths[word] for word in ("a", "bb", "a")], list(lengths)
    ([1, 2, 1], ['a'])
    >>> [lengths["cc"] for _ in range(17)][-1], list(lengths)
    (2, ['cc'])
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
            self._begin_anew()
        self[key] = found
        return found

    def of_all(self, keys: Sequence[K | None]) -> list[V | None]:
        """Of each key; None of None. Where all is remembered that may be, none is looked for.

        >>> Remembered(len, most=1).of_all(["a", None, "bb"])
        [1, None, 2]
        """
        if len(self) < self._most:
            return [None if key is None else self[key] for key in keys]
        self._others += len(keys)
        if self._others >= PATIENCE * self._most:
            self._begin_anew()
        of = self._of
        return [None if key is None else of(key) for key in keys]

    def _begin_anew(self) -> None:
        self.clear()
        self._others = 0
