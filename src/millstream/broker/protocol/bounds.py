"""Requests that announce more elements than they have bytes, or null for what is never null, are refused undecoded.

kio's reader makes room for as many elements as an array announces, and where there is no such memory the process ends:
26 bytes of rubbish could take the broker down. So the lengths are walked through first, by the schema alone. A request
may hold so many elements in all: each costs the broker, which works on one request at a time, about 10 us.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Hashable
from typing import Any, cast

Frame = bytes | memoryview
MOST_ELEMENTS = 100_000
"""Of all arrays in a request together; twice what naming every partition there may be takes."""


class Walk:
    """A frame that is walked over, and how many more elements it may have."""

    __slots__ = ("frame", "left")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.left = MOST_ELEMENTS

    def take(self, elements: int) -> None:
        self.left -= elements
        if self.left < 0:
            raise MisfitError(f"it has more than {MOST_ELEMENTS} elements")


Step = Callable[[Walk, int], int]
"""From the position of a field to that behind it. Raises IndexError or MisfitError."""
Count = Callable[[Walk, int], tuple[int, int]]
"""How many elements or bytes follow at a position, and where. Raises IndexError or MisfitError."""

_SIZES = {
    "int8": 1,
    "bool": 1,
    "int16": 2,
    "error_code": 2,
    "int32": 4,
    "timedelta_i32": 4,
    "int64": 8,
    "timedelta_i64": 8,
    "datetime_i64": 8,
    "uuid": 16,
}


class MisfitError(Exception):
    """A length in a request is more than the request has, or null where the schema knows no null."""


def walker(schema: Hashable) -> Callable[[Frame, int], int]:
    """What walks over a message of this type; the position that it gives is the frame's end if nothing follows."""
    step = _entity(schema)
    return lambda frame, position: step(Walk(frame), position)


@functools.cache
def _entity(schema: Hashable) -> Step:
    entity = cast("Any", schema)
    flexible = bool(entity.__flexible__)
    steps: list[Step] = []
    fixed = 0
    for field in dataclasses.fields(entity):
        if "tag" in field.metadata:
            continue
        size = 0 if _is_array(field.type) else _SIZES.get(field.metadata.get("kafka_type", ""), 0)
        fixed += size
        if not size:
            steps += [_skip(fixed)] if fixed else []
            steps.append(_field(field, flexible=flexible))
            fixed = 0
    steps += [_skip(fixed)] if fixed else []
    steps += [_tags] if flexible else []
    return steps[0] if len(steps) == 1 else _all(tuple(steps))


def _field(field: dataclasses.Field[Any], *, flexible: bool) -> Step:
    kind = field.metadata.get("kafka_type")
    inner = next((part for part in _parts(field.type) if dataclasses.is_dataclass(part)), None)
    may_be_null = types.NoneType in typing.get_args(field.type)
    count: Count = _compact_count if flexible else _count
    letters = _compact_count if flexible else _short_count
    if _is_array(field.type):
        text = _bytes(_present(letters))
        count = count if may_be_null else _present(count)
        size = _SIZES.get(kind or "", 0) if inner is None else _fixed_size(cast("Hashable", inner))
        if size:
            return _array_of_fixed(count, size)
        return _array(count, text if inner is None else _entity(cast("Hashable", inner)))
    if inner is not None:
        one = _entity(cast("Hashable", inner))
        return _maybe(one) if may_be_null else one
    counted = letters if kind == "string" else count
    return _bytes(counted if may_be_null else _present(counted))


def _fixed_size(schema: Hashable) -> int:
    """The bytes of an entity that has always as many; 0 for others."""
    entity = cast("Any", schema)
    sizes = [
        0 if _is_array(field.type) else _SIZES.get(field.metadata.get("kafka_type", ""), 0)
        for field in dataclasses.fields(entity)
    ]
    return sum(sizes) if all(sizes) and not entity.__flexible__ else 0


def _is_array(annotation: Any) -> bool:
    return any(typing.get_origin(part) is tuple for part in (annotation, *typing.get_args(annotation)))


def _parts(annotation: Any) -> list[Any]:
    """The annotation and all that it is made of."""
    return [annotation, *(inner for part in typing.get_args(annotation) for inner in _parts(part))]


def _all(steps: tuple[Step, ...]) -> Step:
    def one_after_the_other(walk: Walk, position: int) -> int:
        for step in steps:
            position = step(walk, position)
        return position

    return one_after_the_other


def _skip(size: int) -> Step:
    return lambda _walk, position: position + size


def _array(counted: Count, element: Step) -> Step:
    def each(walk: Walk, position: int) -> int:
        count, position = counted(walk, position)
        walk.take(max(count, 0))
        for _ in range(count):
            position = element(walk, position)
        return position

    return each


def _array_of_fixed(counted: Count, size: int) -> Step:
    def all_at_once(walk: Walk, position: int) -> int:
        count, position = counted(walk, position)
        walk.take(max(count, 0))
        return position + max(count, 0) * size

    return all_at_once


def _bytes(counted: Count) -> Step:
    def over(walk: Walk, position: int) -> int:
        count, position = counted(walk, position)
        return position + max(count, 0)

    return over


def _present(counted: Count) -> Count:
    """The same, of what is never null."""

    def count(walk: Walk, position: int) -> tuple[int, int]:
        found, after = counted(walk, position)
        if found < 0:
            raise MisfitError(f"null at byte {position}, where there must be something")
        return found, after

    return count


def _maybe(one: Step) -> Step:
    """A structure that may be null: a byte below 0 says so."""
    return lambda walk, position: position + 1 if walk.frame[position] > 0x7F else one(walk, position + 1)


def _tags(walk: Walk, position: int) -> int:
    """Tagged fields have sizes of their own; none that is served holds an array."""
    if walk.frame[position] == 0:
        return position + 1
    count, position = _varint(walk, position)
    for _ in range(count):
        _, position = _varint(walk, position)
        size, position = _varint(walk, position)
        position += size
    return position


def _compact_count(walk: Walk, position: int) -> tuple[int, int]:
    count, position = _varint(walk, position)
    return _checked(count - 1, walk, position)


def _count(walk: Walk, position: int) -> tuple[int, int]:
    return _checked(int.from_bytes(walk.frame[position : position + 4], "big", signed=True), walk, position + 4)


def _short_count(walk: Walk, position: int) -> tuple[int, int]:
    return _checked(int.from_bytes(walk.frame[position : position + 2], "big", signed=True), walk, position + 2)


def _checked(count: int, walk: Walk, position: int) -> tuple[int, int]:
    """-1 is null; and every element takes a byte at least."""
    if count > len(walk.frame) - position:
        raise MisfitError(f"{count} elements or bytes are announced where {len(walk.frame) - position} bytes follow")
    return max(count, -1), position


def _varint(walk: Walk, position: int) -> tuple[int, int]:
    """An unsigned varint of at most five bytes, and the position behind it."""
    value = walk.frame[position]
    position += 1
    if value < 0x80:
        return value, position
    value &= 0x7F
    for shift in (7, 14, 21, 28):
        byte = walk.frame[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise MisfitError("a length of more than five bytes")
