"""Values of no declared type in stores: what a restored store would give back as text is refused when it is written."""

from __future__ import annotations

import typing
from collections.abc import Callable, Collection
from datetime import date, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from millstream.serde.change import ChangeSerde
from millstream.serde.contract import Serde
from millstream.serde.exact import exact
from millstream.serde.functions import FunctionSerde
from millstream.serde.json import JsonSerde
from millstream.serde.sides import SideValuesSerde

_LOOKED_AT = 100  # items of a list
_KEPT = frozenset({int, float, str, bool, type(None)})
_WRITTEN_AS_TEXT = (Decimal, date, time, timedelta, UUID, bytes)


def lasting(serde: Serde[Any]) -> Serde[Any]:
    """What `exact` gives, but a value that nothing says the type of, and that JSON has none for, is refused.

    It is there as long as the program runs, and would be text after a restart, or once it was put out of memory. Of a
    long list, the last items stand for all of them.

    >>> from millstream.serde import JsonSerde
    >>> serde = lasting(JsonSerde())
    >>> serde.encode({"total": 2.5})
    b'{"total":2.5}'
    >>> serde.encode({"total": Decimal("2.5")})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: Decimal('2.5') would be read again as text, for nothing says that it is a Decimal; ...
    """
    match serde:
        case ChangeSerde():
            return ChangeSerde(lasting(serde.inner))
        case SideValuesSerde():
            right, left = serde.sides
            return SideValuesSerde(lasting(left), lasting(right))
        case JsonSerde() if serde.type is Any or _untyped_slots(serde.type):
            kept = exact(serde)
            encode = _checked(kept.encode, _untyped_slots(kept.type))
            return FunctionSerde(kept.name, kept.type, encode, kept.decode, kept.cacheable)
        case _:
            return exact(serde)


def _untyped_slots(of: Any) -> tuple[int, ...]:
    """Places of a tuple, such as that of declared aggregates, whose values have no type."""
    if typing.get_origin(of) is not tuple:
        return ()
    return tuple(at for at, slot in enumerate(typing.get_args(of)) if slot is Any or typing.get_args(slot) == (Any,))


def _checked(encode: Callable[[Any], bytes], slots: tuple[int, ...]) -> Callable[[Any], bytes]:
    """Looks at these slots of each value, or without any at the whole."""

    def checked_slots(value: Any) -> bytes:
        for slot in slots:
            if type(value[slot]) not in _KEPT:
                _refuse_text(value[slot])
        return encode(value)

    def checked(value: Any) -> bytes:
        _refuse_text(value)
        return encode(value)

    return checked_slots if slots else checked


def _refuse_text(value: Any) -> None:
    if type(value) in _KEPT:
        return
    match value:
        case dict():
            _refuse_texts(value.values())
        case list() | tuple():
            _refuse_texts(value[-_LOOKED_AT:])
        case set() | frozenset():
            _refuse_texts(list(islice(value, _LOOKED_AT)))
        case _ if isinstance(value, _WRITTEN_AS_TEXT):
            kind = type(value).__name__
            raise ValueError(
                f"{value!r} would be read again as text, for nothing says that it is a {kind}; give value=, or "
                "annotate the function that makes it"
            )


def _refuse_texts(values: Collection[Any]) -> None:
    """At the speed of C where all are plain: that costs about as much as to write them."""
    if not _KEPT.issuperset(map(type, values)):
        for value in values:
            _refuse_text(value)
