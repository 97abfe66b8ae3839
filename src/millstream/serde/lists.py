"""Lists in the encoding of Kafka's `ListSerializer`."""

from __future__ import annotations

from struct import Struct
from typing import Any, Generic, TypeVar

from millstream.serde.contract import Serde, bound

T = TypeVar("T")

_COUNT = Struct(">i")
_SAME_SIZE, _ANY_SIZE = 0, 1  # the first byte: of entries that are all as long, and of others
_NULL = -1


class ListSerde(Generic[T]):
    """A list of what another serde writes; its entries may be None.

    Numbers and UUIDs stand without their lengths, behind the places of the entries that are null.

    >>> from millstream.serde.scalars import INT32, STRING
    >>> ListSerde(INT32).encode([1, 2]).hex()
    '0000000000000000020000000100000002'
    >>> ListSerde(STRING).decode(ListSerde(STRING).encode(["x", None]))
    ['x', None]
    """

    __slots__ = ("_size", "cacheable", "inner", "name", "type")

    def __init__(self, inner: Serde[T]) -> None:
        self.inner = inner
        self.name = f"list({inner.name})"
        self.type: Any = list
        self.cacheable = False
        self._size: int = getattr(inner, "size", 0)

    def for_topic(self, topic: str, *, is_key: bool) -> ListSerde[T]:
        return ListSerde(bound(self.inner, topic, is_key=is_key))

    def encode(self, value: list[T | None], /) -> bytes:
        if not isinstance(value, list | tuple):
            raise TypeError(f"expected a list, got {type(value).__name__}")
        entries = [None if each is None else self.inner.encode(each) for each in value]
        count = _COUNT.pack(len(entries))
        if self._size:
            nulls = [place for place, entry in enumerate(entries) if entry is None]
            places = [_COUNT.pack(number) for number in (len(nulls), *nulls)]
            return b"".join((bytes((_SAME_SIZE,)), *places, count, *(each for each in entries if each is not None)))
        sized = (_COUNT.pack(_NULL) if each is None else _COUNT.pack(len(each)) + each for each in entries)
        return b"".join((bytes((_ANY_SIZE,)), count, *sized))

    def decode(self, data: bytes, /) -> list[T | None]:
        if not data or data[0] != (_SAME_SIZE if self._size else _ANY_SIZE):
            raise ValueError(f"{self.name} begins with {_SAME_SIZE if self._size else _ANY_SIZE}, got {data[:1]!r}")
        entries, end = self._of_one_size(data) if self._size else self._of_any_size(data)
        if end != len(data):
            raise ValueError(f"{self.name} has {len(data)} bytes, and its {len(entries)} entries take {end}")
        return entries

    def _of_one_size(self, data: bytes) -> tuple[list[T | None], int]:
        at = 1
        (holes,) = _COUNT.unpack_from(data, at)
        nulls = {_COUNT.unpack_from(data, at + 4 * (1 + hole))[0] for hole in range(holes)}
        at += 4 * (1 + holes)
        (count,) = _COUNT.unpack_from(data, at)
        at += 4
        entries: list[T | None] = []
        for place in range(count):
            if place in nulls:
                entries.append(None)
                continue
            entries.append(self.inner.decode(data[at : at + self._size]))
            at += self._size
        return entries, at

    def _of_any_size(self, data: bytes) -> tuple[list[T | None], int]:
        (count,) = _COUNT.unpack_from(data, 1)
        at = 5
        entries: list[T | None] = []
        for _ in range(count):
            (length,) = _COUNT.unpack_from(data, at)
            at += 4
            if length == _NULL:
                entries.append(None)
                continue
            if length < 0 or at + length > len(data):
                raise ValueError(f"{self.name}: an entry of {length} bytes at {at} of {len(data)}")
            entries.append(self.inner.decode(data[at : at + length]))
            at += length
        return entries, at
