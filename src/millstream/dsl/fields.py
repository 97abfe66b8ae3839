"""Fields of records: which there are, of which type, and how they are read; composite keys made of them."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import operator
import types
import typing
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

import msgspec

from millstream.errors import TopologyError
from millstream.plan.site import CallSite
from millstream.serde.infer import NONE, unnamed
from millstream.serde.shape import is_message, is_pydantic

# what protobuf's descriptors call string, bool and bytes; a message or a repeated field has no type that groups can use
_MESSAGE_TYPES: dict[int, Any] = {9: str, 8: bool, 12: bytes}

_NO_NUMBERS = (str, bytes, date, time, timedelta, UUID, list, tuple, dict, set, frozenset)
_WITHOUT_FIELDS = {str, bytes, bool, int, float, list, tuple, set, frozenset, Decimal, UUID, datetime, date}


def declared_fields(of: Any) -> dict[str, Any] | None:
    """Field names and types of a record type; None for a type that declares none, such as dict.

    >>> class Report(msgspec.Struct):
    ...     cdn: str
    >>> declared_fields(Report)
    {'cdn': <class 'str'>}
    """
    if is_message(of):
        return {field.name: _MESSAGE_TYPES.get(field.type, Any) for field in of.DESCRIPTOR.fields}
    names = _field_names(of)
    if names is None:
        return None
    hints = typing.get_type_hints(of)
    return {name: hints.get(name, Any) for name in names}


def _field_names(of: Any) -> list[str] | None:
    if not isinstance(of, type):
        return None
    if issubclass(of, msgspec.Struct):
        return [field.name for field in msgspec.structs.fields(of)]
    if dataclasses.is_dataclass(of):
        return [field.name for field in dataclasses.fields(of)]
    if is_pydantic(of):
        return list(of.model_fields)  # type: ignore[attr-defined]
    if issubclass(of, tuple) and hasattr(of, "_fields"):
        return list(of._fields)
    if hasattr(of, "__attrs_attrs__"):
        return [field.name for field in of.__attrs_attrs__]
    return list(of.__annotations__) if typing.is_typeddict(of) else None


def members(of: Any) -> tuple[Any, ...]:
    """The types of a union but None, or the one type itself; aliases and annotations are looked through.

    >>> members(int | str | None), members(float)
    ((<class 'int'>, <class 'str'>), (<class 'float'>,))
    """
    of = unnamed(of)
    if typing.get_origin(of) is typing.Annotated:
        return members(typing.get_args(of)[0])
    if typing.get_origin(of) not in (typing.Union, types.UnionType):
        return (of,)
    return tuple(member for each in typing.get_args(of) if each is not NONE for member in members(each))


def no_number(of: Any) -> str | None:
    """The name of a type among those of a union, or of the one type, whose values cannot be added up as numbers.

    >>> no_number(int | str), no_number(Decimal | None), no_number(Any)
    ('str', None, None)
    """
    for member in members(of):
        plain = typing.get_origin(member) or member
        record = is_message(plain) or _field_names(plain) is not None
        if isinstance(plain, type) and (record or issubclass(plain, _NO_NUMBERS)):
            return plain.__name__
    return None


def required_fields(of: Any) -> list[str]:
    """Fields of a record type that have no default."""
    if is_message(of):
        return []
    if is_pydantic(of):
        return [name for name, field in of.model_fields.items() if field.is_required()]
    if not dataclasses.is_dataclass(of) and not issubclass(of, msgspec.Struct):
        parameters = inspect.signature(of).parameters.values()
        optional = getattr(of, "__optional_keys__", ())
        known = declared_fields(of) or {}
        return [p.name for p in parameters if p.name in known and p.default is p.empty] or [
            name for name in known if typing.is_typeddict(of) and name not in optional
        ]
    if issubclass(of, msgspec.Struct):
        return [field.name for field in msgspec.structs.fields(of) if field.required]
    none = dataclasses.MISSING
    return [f.name for f in dataclasses.fields(of) if f.init and f.default is none and f.default_factory is none]


def require_fields(of: Any, names: tuple[str, ...], site: CallSite) -> dict[str, Any]:
    """The types of the named fields; refuses names that a declared record type lacks, and types without fields.

    Of a union each type must have them, and they must be read of all in the same way.
    """
    union = members(of)
    if len(union) > 1:
        return _fields_of_all(union, names, site)
    known = declared_fields(of)
    if known is None:
        if (typing.get_origin(of) or of) in _WITHOUT_FIELDS:
            raise TopologyError(
                f"{site}: values of type {of.__name__} have no field {names[0]!r}; give a function instead of a "
                "field's name, or values with fields: a ms.Record, a dataclass or a dict"
            )
        return dict.fromkeys(names, Any)
    for name in names:
        if name not in known:
            raise unknown_field(of, name, known, site)
    return {name: known[name] for name in names}


def _fields_of_all(union: tuple[Any, ...], names: tuple[str, ...], site: CallSite) -> dict[str, Any]:
    shown = " or ".join(getattr(each, "__name__", str(each)) for each in union)
    try:
        found = [require_fields(each, names, site) for each in union]
    except TopologyError as error:
        raise TopologyError(f"{error}; values here are {shown}: give each the field, or a function instead") from None
    if len({reads_by_item(each) for each in union}) > 1:
        raise TopologyError(
            f"{site}: values here are {shown}, of which some have {names[0]!r} as an item and some as an attribute; "
            "give a function instead"
        )
    return {name: _either([types[name] for types in found]) for name in names}


def _either(types: list[Any]) -> Any:
    return Any if Any in types else typing.Union[tuple(types)]  # noqa: UP007 - as many as there are


def unknown_field(of: Any, name: str, known: Iterable[str], site: CallSite) -> TopologyError:
    """The error to raise for a field that a type lacks."""
    names = list(known)
    near = difflib.get_close_matches(name, names, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return TopologyError(f"{site}: {of.__name__} has no field {name!r}; it has {', '.join(names)}{hint}")


def reads_by_item(of: Any) -> bool:
    """Whether a field is read as value["name"] and not as value.name."""
    first = members(of)[0]  # `require_fields` has seen to it that the others of a union are like it
    return typing.is_typeddict(first) or declared_fields(first) is None


def getter(of: Any, name: str) -> Callable[[Any], Any]:
    return operator.itemgetter(name) if reads_by_item(of) else operator.attrgetter(name)


def composite_key(of: Any, types: dict[str, Any], given: Any, site: CallSite) -> tuple[type, Callable[[Any], Any]]:
    """A frozen record type for several key fields, or the one given, and the function that makes it from a value."""
    if given is None:
        key_type: Any = _key_type(tuple(types.items()))
    else:
        key_type = given
    names = tuple(declared_fields(key_type) or ())
    if set(names) != set(types):
        has = f"has {', '.join(names)}" if names else "is no record type"
        raise TopologyError(f"{site}: the key's type must have the fields {', '.join(types)}; {key_type!r} {has}")
    read = operator.itemgetter(*names) if reads_by_item(of) else operator.attrgetter(*names)

    def key_of(value: Any) -> Any:
        return key_type(*read(value))

    def named(value: Any) -> Any:
        return key_type(**dict(zip(names, read(value), strict=True)))

    return key_type, named if is_pydantic(key_type) or typing.is_typeddict(key_type) else key_of


@cache
def _key_type(fields: tuple[tuple[str, Any], ...]) -> type:
    """One type for the same fields wherever they are grouped by, so that the keys of two groups can be equal."""
    return msgspec.defstruct("Key", list(fields), frozen=True, order=True, cache_hash=True)
