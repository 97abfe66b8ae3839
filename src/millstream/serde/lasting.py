"""Values of no declared type in stores: what a restored store would give back as text is refused when it is written."""

from __future__ import annotations

import typing
from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from millstream.serde.change import ChangeSerde
from millstream.serde.contract import Serde
from millstream.serde.exact import exact
from millstream.serde.functions import FunctionSerde
from millstream.serde.json import JsonSerde
from millstream.serde.sides import SideValuesSerde

_LOOKED_AT = 100  # values: looking at one costs more than to write it
_WRITTEN_AS_TEXT = (Decimal, date, time, timedelta, UUID, bytes)


def lasting(serde: Serde[Any]) -> Serde[Any]:
    """What `exact` gives, but a value that nothing says the type of, and that JSON has none for, is refused.

    It is there as long as the program runs, and would be text after a restart, or once it was put out of memory. Of a
    list, the last item stands for all of them, and the first values of a store for the others.

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
    """Looks at these slots of the first values, or without any at the whole: later values are taken to be alike."""
    left = _LOOKED_AT

    def checked(value: Any) -> bytes:
        nonlocal left
        if left:
            left -= 1
            for part in [value[slot] for slot in slots] if slots else (value,):
                _refuse_text(part)
        return encode(value)

    return checked


def _refuse_text(value: Any) -> None:
    match value:
        case dict():
            for each in value.values():
                _refuse_text(each)
        case list() | tuple() if value:
            _refuse_text(value[-1])
        case set() | frozenset() if value:
            _refuse_text(next(iter(value)))
        case _ if isinstance(value, _WRITTEN_AS_TEXT):
            kind = type(value).__name__
            raise ValueError(
                f"{value!r} would be read again as text, for nothing says that it is a {kind}; give value=, or "
                "annotate the function that makes it"
            )
