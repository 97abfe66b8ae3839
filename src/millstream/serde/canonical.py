"""Keys as JSON in one canonical form: keys that are equal in Python are equal as bytes."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
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
_FEW_DIGITS = 100
_PLAIN = frozenset((str, int, bool, type(None)))  # written in one way only


def encode_canonical(key: Any) -> bytes:
    """JSON with sorted members, whole floats as integers, decimals without spare zeros, moments in UTC.

    >>> encode_canonical({"b": 1.0, "a": Decimal("2.50")})
    b'{"a":"2.5","b":1}'
    """
    if isinstance(key, msgspec.Struct):  # a group's key as a rule, and all of its fields plain
        for name in key.__struct_fields__:
            if type(getattr(key, name)) not in _PLAIN:
                break
        else:
            return _SORTED.encode(key)
    elif type(key) in _PLAIN:
        return _SORTED.encode(key)
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
    settle = _SETTLED.get(type(plain))
    return plain if settle is None else settle(plain)


def _float(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(f"{number} is no key: it equals nothing that can be written as JSON")
    return int(number) if number.is_integer() else number


def _decimal(number: Decimal) -> str:
    if not number.is_finite():
        raise ValueError(f"{number} is no key: give a finite number")
    if not number:
        return "0"
    if abs(number.adjusted()) > _FEW_DIGITS:  # written out, 1E+999999999 would fill the memory
        sign, digits, _ = number.as_tuple()
        text = "".join(map(str, digits)).rstrip("0")
        return f"{'-' * sign}{text[0]}.{text[1:] or '0'}E{number.adjusted():+d}"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _moment(moment: datetime.datetime) -> datetime.datetime:
    return moment if moment.tzinfo is None else moment.astimezone(datetime.UTC)


def _listed(items: Any) -> list[Any]:
    return [settled(item) for item in items]


def _ordered(items: Any) -> list[Any]:
    return sorted(_listed(items), key=_SORTED.encode)


_SETTLED: dict[type, Callable[[Any], Any]] = {
    float: _float,
    Decimal: _decimal,
    datetime.datetime: _moment,
    dict: lambda members: {name: settled(item) for name, item in members.items()},
    list: _listed,
    tuple: _listed,
    set: _ordered,
    frozenset: _ordered,
}
