"""Values of one side of a join, as parked rows lie in their changelog (rule F5)."""

from __future__ import annotations

from struct import Struct
from typing import Any

from millstream.serde.contract import Serde, bound

_LIST = Struct(">Bi")
_LENGTH = Struct(">i")
_LISTED = 1


class SideValuesSerde:
    """(side, values), side 1 being the left and 0 the right one.

    >>> from millstream.serde.scalars import INT64, STRING
    >>> SideValuesSerde(STRING, INT64).encode((1, ["x", "y"])).hex()
    '0100000002000000020178000000020179'
    """

    __slots__ = ("cacheable", "name", "sides", "type")

    def __init__(self, left: Serde[Any], right: Serde[Any]) -> None:
        self.sides = (right, left)
        self.name = f"sides({left.name}, {right.name})"
        self.type = tuple
        self.cacheable = False

    def for_topic(self, topic: str, *, is_key: bool) -> SideValuesSerde:
        right, left = (bound(side, topic, is_key=is_key) for side in self.sides)
        return SideValuesSerde(left, right)

    def encode(self, value: tuple[int, list[Any]], /) -> bytes:
        side, values = value
        flag, encode = bytes((side,)), self.sides[side].encode
        parts = [_LIST.pack(_LISTED, len(values))]
        for item in values:
            data = flag + encode(item)
            parts += [_LENGTH.pack(len(data)), data]
        return b"".join(parts)

    def decode(self, data: bytes, /) -> tuple[int, list[Any]]:
        form, count = _LIST.unpack_from(data)
        if form != _LISTED or not count:
            raise ValueError(f"a list of a join's values begins with {_LISTED} and their number, not {data[:5].hex()}")
        at, side, values = _LIST.size, 0, []
        for _ in range(count):
            (length,) = _LENGTH.unpack_from(data, at)
            at += _LENGTH.size
            side = data[at]
            values.append(self.sides[side].decode(data[at + 1 : at + length]))
            at += length
        return side, values
