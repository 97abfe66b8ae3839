"""The pieces of time that a store's rows on disk begin with: each is read by itself, and forgotten at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct

from millstream.state.disk import Disk, after_prefix
from millstream.state.ordered import OrderedTimes

TIME = Struct(">q")


class DiskPieces:
    """Which pieces have rows on disk; a row's key begins with its piece's number in eight bytes.

    >>> pieces = DiskPieces(10)
    >>> pieces.know([3, 1, 3])
    >>> list(pieces.between(15, 99)), list(pieces.between(20, 29)), pieces.oldest_until(39), pieces.oldest_until(18)
    ([1, 3], [], 1, None)
    """

    def __init__(self, piece_ms: int) -> None:
        self.piece_ms = piece_ms
        self._order = OrderedTimes()

    def __bool__(self) -> bool:
        return self._order.first() is not None

    def know(self, pieces: Iterable[int]) -> None:
        """These have rows."""
        for piece in pieces:
            if self._order.after(piece - 1) != piece:
                self._order.add(piece)

    def remove(self, piece: int) -> None:
        self._order.remove(piece)

    def between(self, first: int, last: int) -> Iterator[int]:
        """The pieces in which these moments lie, and those between them, in order."""
        piece = self._order.after(first // self.piece_ms - 1) if first <= last else None
        while piece is not None and piece <= last // self.piece_ms:
            yield piece
            piece = self._order.after(piece)

    def oldest_until(self, moment: int) -> int | None:
        """The first piece, if it ends at a moment or before."""
        piece = self._order.first()
        return piece if piece is not None and (piece + 1) * self.piece_ms - 1 <= moment else None


def stored_times(disk: Disk, prefix: bytes = b"") -> Iterator[int]:
    """The different times, as eight bytes behind a prefix, that rows on disk begin with: a look for each of them."""
    at, end = prefix, after_prefix(prefix) if prefix else None
    while True:
        found = next(disk.scan(at, end), None)
        if found is None:
            return
        time = TIME.unpack_from(found[0], len(prefix))[0]
        yield time
        at = prefix + TIME.pack(time + 1)
