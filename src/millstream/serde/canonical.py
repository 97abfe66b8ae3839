"""Keys as JSON in one canonical form: keys that are equal in Python are equal as bytes."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import inspect

from millstream.serde.shape import has, write_custom

_SORTED = msgspec.json.Encoder(order="sorted", enc_hook=write_custom)
# types of which equal values can be written differently
_AMBIGUOUS = (
    inspect.AnyType,
    inspect.FloatType,
    inspect.DecimalType,
    inspect.DateTimeType,
    inspect.DictType,
    inspect.CustomType,
)


def encode_canonical(key: Any) -> bytes:
    """JSON with sorted members, whole floats as integers, decimals without spare zeros, moments in UTC.

    >>> encode_canonical({"b": 1.0, "a": Decimal("2.50")})
    b'{"a":"2.5","b":1}'
    """
    plain = msgspec.to_builtins(
        key, builtin_types=(Decimal, datetime.datetime), str_keys=True, order="sorted", enc_hook=write_custom
    )
    return _SORTED.encode(settled(plain))


def is_ambiguous(of: Any) -> bool:
    """Whether equal keys of this type may differ as plain JSON.

    >>> is_ambiguous(tuple[str, int]), is_ambiguous(float)
    (False, True)
    """
    return has(of, *_AMBIGUOUS)


def settled(plain: Any) -> Any:
    """The same tree of dicts and lists, with one form for all numbers and moments that are equal."""
    match plain:
        case float():
            if not math.isfinite(plain):
                raise ValueError(f"{plain} is no key: it equals nothing that can be written as JSON")
            return int(plain) if plain.is_integer() else plain
        case Decimal():
            if not plain.is_finite():
                raise ValueError(f"{plain} is no key: give a finite number")
            text = format(plain, "f")
            text = text.rstrip("0").rstrip(".") if "." in text else text
            return "0" if text == "-0" else text
        case datetime.datetime():
            return plain if plain.tzinfo is None else plain.astimezone(datetime.UTC)
        case dict():
            return {name: settled(item) for name, item in plain.items()}
        case list() | tuple():
            return [settled(item) for item in plain]
        case set() | frozenset():
            return sorted((settled(item) for item in plain), key=_SORTED.encode)
        case _:
            return plain
