"""Whether a value holds a NaN or an infinity, looked for only where its type can have one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec
from msgspec import inspect

from millstream.serde.shape import has

Check: TypeAlias = Callable[[Any], bool]


def non_finite_check(of: Any) -> Check | None:
    """The check for values of a type; None where there is nothing to be found.

    >>> class Reading(msgspec.Struct):
    ...     place: str
    ...     degrees: float | None
    >>> check = non_finite_check(Reading)
    >>> check(Reading("here", 1.5)), check(Reading("here", None)), check(Reading("here", math.inf))
    (False, False, True)
    """
    return _check(inspect.type_info(of), {}) if has(of, inspect.FloatType, inspect.AnyType) else None


def has_non_finite(value: Any) -> bool:
    """The same, of any value."""
    match value:
        case float():
            return not math.isfinite(value)
        case msgspec.Struct():
            return any(has_non_finite(getattr(value, name)) for name in value.__struct_fields__)
        case dict():
            return any(map(has_non_finite, value.values()))
        case list() | tuple() | set() | frozenset():
            return any(map(has_non_finite, value))
        case _ if dataclasses.is_dataclass(value):
            return any(has_non_finite(getattr(value, field.name)) for field in dataclasses.fields(value))
        case _ if hasattr(value, "__attrs_attrs__"):
            return any(has_non_finite(getattr(value, field.name)) for field in value.__attrs_attrs__)
        case _:
            return False


def _check(info: inspect.Type, known: dict[type, Check | None]) -> Check | None:
    match info:
        case inspect.FloatType():
            return _is_non_finite
        case inspect.Metadata(type=inner):
            return _check(inner, known)
        case inspect.StructType(cls=cls, fields=fields) | inspect.DataclassType(cls=cls, fields=fields):
            return _of_record(cls, fields, known)
        case inspect.CollectionType(item_type=item):
            return _of_items(_check(item, known))
        case inspect.DictType(value_type=item):
            of_items = _of_items(_check(item, known))
            return None if of_items is None else lambda value: of_items(value.values())
        case inspect.UnionType(types=types):
            return _of_union([_check(each, known) for each in types if not isinstance(each, inspect.NoneType)])
        case inspect.AnyType() | inspect.TupleType() | inspect.NamedTupleType() | inspect.TypedDictType():
            return has_non_finite
        case _:
            return None


def _is_non_finite(value: float | None) -> bool:
    return value is not None and value - value != 0


def _of_items(check: Check | None) -> Check | None:
    if check is None:
        return None
    of_item = check
    return lambda items: any(map(of_item, items))


def _of_record(cls: type, fields: tuple[inspect.Field, ...], known: dict[type, Check | None]) -> Check | None:
    if cls in known:
        return known[cls]
    known[cls] = has_non_finite  # while it is looked into: it may refer to itself
    found = [(attrgetter(each.name), check) for each in fields if (check := _check(each.type, known)) is not None]
    known[cls] = None if not found else lambda record: any(check(read(record)) for read, check in found)
    return known[cls]


def _of_union(checks: list[Check | None]) -> Check | None:
    found = [check for check in checks if check is not None]
    if not found:
        return None
    if len(checks) > 1:
        return has_non_finite
    only = found[0]
    return lambda value: value is not None and only(value)
