"""Between typed objects and the plain dicts, lists and values that encoders other than msgspec take."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Literal

import msgspec
from msgspec import inspect

from millstream.serde.json import JsonSerde
from millstream.serde.models import is_made_of_models
from millstream.serde.shape import has, read_custom, write_custom

KEPT = (bytes, bytearray, datetime.datetime, datetime.date, datetime.time, Decimal, uuid.UUID)
PLAIN_TYPES = (Any, dict, list, str, int, float, bool, bytes, Decimal, uuid.UUID)


def to_plain(of: Any) -> Callable[[Any], Any] | None:
    """What makes records dicts and leaves other values; None where nothing is to be done.

    >>> class Point(msgspec.Struct):
    ...     x: int
    ...     when: datetime.date
    >>> to_plain(Point)(Point(1, datetime.date(2026, 1, 2)))
    {'x': 1, 'when': datetime.date(2026, 1, 2)}
    """
    if of in PLAIN_TYPES:
        return None
    if is_made_of_models(of):
        from pydantic import TypeAdapter

        return partial(TypeAdapter(of).dump_python, by_alias=True)
    # sets and dicts in one order, so that equal keys have equal bytes
    unordered = has(of, inspect.SetType, inspect.FrozenSetType, inspect.DictType)
    order: Literal["deterministic"] | None = "deterministic" if unordered else None
    return partial(msgspec.to_builtins, builtin_types=KEPT, order=order, str_keys=True, enc_hook=write_custom)


def from_plain(of: Any) -> Callable[[Any], Any] | None:
    """The way back, with the checks of the type."""
    if of in PLAIN_TYPES:
        return None
    if is_made_of_models(of):
        from pydantic import TypeAdapter

        validate: Callable[[Any], Any] = TypeAdapter(of).validate_python
        return validate
    return partial(msgspec.convert, type=of, builtin_types=KEPT, str_keys=True, dec_hook=read_custom)


def is_cacheable(of: Any) -> bool:
    """Whether equal objects have equal bytes in formats that know each field's type."""
    if of in (str, int, bool, bytes):
        return True
    return not is_made_of_models(of) and JsonSerde(of).cacheable and not has(of, inspect.FloatType, inspect.AnyType)
