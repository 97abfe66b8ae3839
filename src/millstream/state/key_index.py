"""The keys of a store in memory, in the order of their bytes; kept only for a store that is walked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, TypeAlias

from millstream.state.ordered import FULL

Entry: TypeAlias = tuple[bytes, Any]  # no two have the same bytes, so keys are never compared


class KeyIndex:
    """Keys with their bytes, in order. It is told of changed keys, and looks at them when it is walked next.

    >>> rows = {"b": 1, "a": 2}
    >>> index = KeyIndex(str.encode, rows)
    >>> [key for _, key in index.scan(b"", None)]
    ['a', 'b']
    >>> del rows["a"]; rows["c"] = 3
    >>> index.changed(["a", "c"])
    >>> [key for _, key in index.scan(b"", None, reverse=True)]
    ['c', 'b']
    """

    def __init__(self, encode: Callable[[Any], bytes], rows: Collection[Any]) -> None:
        self._encode = encode
        self._rows = rows
        self._changed: dict[Any, None] = {}
        self._stale = False  # so much has changed that it is sorted anew
        self._sort()

    def changed(self, keys: Iterable[Any]) -> None:
        """These may have come or gone."""
        if not self._stale:
            self._changed.update(dict.fromkeys(keys))
            self._stale = 4 * len(self._changed) > self._size
        if self._stale:
            self._changed.clear()

    def scan(self, first: bytes, end: bytes | None, *, reverse: bool = False) -> Iterator[Entry]:
        """The keys there are now from `first` up to, and without, `end`."""
        self._refresh()
        blocks = self._blocks.copy()  # blocks themselves are never changed, so this is what the walk will see
        low, stop = self._at((first,)), len(blocks) if end is None else self._at((end,)) + 1
        for block in reversed(blocks[low:stop]) if reverse else blocks[low:stop]:
            begin = bisect_left(block, (first,))
            behind = len(block) if end is None else bisect_left(block, (end,))
            yield from reversed(block[begin:behind]) if reverse else block[begin:behind]

    def _sort(self) -> None:
        encode = self._encode
        entries = sorted(((encode(key), key) for key in self._rows), key=lambda entry: entry[0])
        self._blocks = [entries[at : at + FULL // 2] for at in range(0, len(entries), FULL // 2)]
        self._lasts = [block[-1] for block in self._blocks]  # of each block
        self._size = len(entries)

    def _refresh(self) -> None:
        if self._stale:
            self._stale = False
            self._sort()
        for key in self._changed:
            self._look_at(key)
        self._changed.clear()

    def _look_at(self, key: Any) -> None:
        data = self._encode(key)
        at = min(self._at((data,)), len(self._blocks) - 1)
        block = self._blocks[at]
        place = bisect_left(block, (data,))
        there = place < len(block) and block[place][0] == data
        if there == (key in self._rows):
            return
        block = block[:place] + block[place + 1 :] if there else [*block[:place], (data, key), *block[place:]]
        self._size += -1 if there else 1
        half = len(block) // 2
        parts = [block[:half], block[half:]] if len(block) > FULL else [block] if block else []
        self._blocks[at : at + 1] = parts
        self._lasts[at : at + 1] = [part[-1] for part in parts]

    def _at(self, entry: tuple[bytes]) -> int:
        """The block in which it has its place; behind the last one the number of blocks."""
        return bisect_left(self._lasts, entry)
