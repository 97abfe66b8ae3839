"""The orders in which Java's collections give what Kafka Streams has put into them, where these are seen.

They are an accident of `HashMap` and `TreeMap`, but a description that differs from Kafka Streams' own in the order of
names alone can't be compared with it line by line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass


def hash_order(names: Iterable[str]) -> list[str]:
    """Names as a `HashSet` gives them that got them in this order.

    >>> hash_order(["this-store", "other-store", "a", "b"])
    ['a', 'b', 'this-store', 'other-store']
    """
    distinct = list(dict.fromkeys(names))
    buckets = 16
    while len(distinct) > 0.75 * buckets:
        buckets *= 2
    return sorted(distinct, key=lambda name: _spread_hash(name) & (buckets - 1))


def _spread_hash(text: str) -> int:
    number = 0
    for char in text:
        number = (31 * number + ord(char)) & 0xFFFFFFFF
    return number ^ (number >> 16)


@dataclass(slots=True, eq=False)
class _Entry:
    name: str
    above: _Entry | None = None
    left: _Entry | None = None
    right: _Entry | None = None
    red: bool = True


class TreeOrder:
    """Names in a `TreeSet` whose comparator may have told otherwise when earlier ones were added.

    Where a name goes depends on the shape that the tree had then, so the tree is kept as Java keeps it: red and black.

    >>> order = TreeOrder(lambda a, b: (a > b) - (a < b))
    >>> for name in "cab":
    ...     order.add(name)
    >>> list(order)
    ['a', 'b', 'c']
    """

    def __init__(self, compare: Callable[[str, str], int]) -> None:
        self._compare = compare
        self._root: _Entry | None = None

    def __iter__(self) -> Iterator[str]:
        waiting: list[_Entry] = []
        entry = self._root
        while waiting or entry is not None:
            while entry is not None:
                waiting.append(entry)
                entry = entry.left
            entry = waiting.pop()
            yield entry.name
            entry = entry.right

    def add(self, name: str) -> None:
        above, entry, told = None, self._root, 0
        while entry is not None:
            told = self._compare(name, entry.name)
            if told == 0:
                return
            above, entry = entry, entry.left if told < 0 else entry.right
        added = _Entry(name, above)
        if above is None:
            self._root = added
        elif told < 0:
            above.left = added
        else:
            above.right = added
        self._balance(added)

    def _balance(self, entry: _Entry) -> None:
        """No red entry stands below a red one."""
        while (above := entry.above) is not None and above.red and (top := above.above) is not None:
            on_left = top.left is above
            beside = top.right if on_left else top.left
            if beside is not None and beside.red:
                above.red = beside.red = False
                top.red = True
                entry = top
                continue
            if entry is (above.right if on_left else above.left):
                self._rotate(above, to_left=on_left)
                entry, above = above, entry
            above.red, top.red = False, True
            self._rotate(top, to_left=not on_left)
        if self._root is not None:
            self._root.red = False

    def _rotate(self, entry: _Entry, *, to_left: bool) -> None:
        """Its child on the other side takes its place."""
        child = entry.right if to_left else entry.left
        assert child is not None
        moved = child.left if to_left else child.right
        if to_left:
            entry.right, child.left = moved, entry
        else:
            entry.left, child.right = moved, entry
        if moved is not None:
            moved.above = entry
        above = child.above = entry.above
        if above is None:
            self._root = child
        elif above.left is entry:
            above.left = child
        else:
            above.right = child
        entry.above = child
