"""Updates of a grouped table on their way through a repartition topic: a new and an old value (rule F10)."""

from __future__ import annotations

from typing import Any, Generic, TypeAlias, TypeVar

from millstream.serde.contract import Serde, bound

V = TypeVar("V")

Change: TypeAlias = tuple[Any, Any]  # new, old

_OLD, _NEW, _BOTH = 0, 1, 2
_WITH_IS_LATEST = 3  # 3, 4 and 5 are the same three, with a byte in front of the flag that this serde passes over


class ChangeSerde(Generic[V]):
    """(new, old), of which at least one is a value.

    >>> from millstream.serde.scalars import STRING
    >>> ChangeSerde(STRING).encode(("p2", "p1")).hex()
    '047032703102'
    """

    __slots__ = ("cacheable", "inner", "name", "type")

    def __init__(self, inner: Serde[V]) -> None:
        self.inner = inner
        self.name = f"change({inner.name})"
        self.type = tuple
        self.cacheable = False

    def for_topic(self, topic: str, *, is_key: bool) -> ChangeSerde[V]:
        return ChangeSerde(bound(self.inner, topic, is_key=is_key))

    def encode(self, value: Change, /) -> bytes:
        new, old = value
        if old is None:
            return self.inner.encode(new) + bytes((_NEW,))
        if new is None:
            return self.inner.encode(old) + bytes((_OLD,))
        data = self.inner.encode(new)
        return _varint(len(data)) + data + self.inner.encode(old) + bytes((_BOTH,))

    def decode(self, data: bytes, /) -> Change:
        flag, end = data[-1], len(data) - 1
        if flag >= _WITH_IS_LATEST:
            flag, end = flag - _WITH_IS_LATEST, end - 1
        if flag == _NEW:
            return self.inner.decode(data[:end]), None
        if flag == _OLD:
            return None, self.inner.decode(data[:end])
        if flag != _BOTH:
            raise ValueError(f"a change ends with a flag from 0 to 5, not {data[-1]}")
        length, at = _read_varint(data)
        return self.inner.decode(data[at : at + length]), self.inner.decode(data[at + length : end])


def _varint(number: int) -> bytes:
    """Zigzag, seven bits a byte, the lowest first."""
    rest = number << 1
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _read_varint(data: bytes) -> tuple[int, int]:
    number = shift = at = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number >> 1, at
