"""Requests of older versions, lifted to the newest version served, so that a handler knows one form only.

A field that an old version lacks gets Kafka's default. Three requests changed their shape (one group, key or member
became a list of them); they are lifted by hand.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, cast

from kio.index import load_request_schema

from millstream.broker.protocol.apis import APIS, FIND_COORDINATOR, LEAVE_GROUP, OFFSET_FETCH


class Field(NamedTuple):
    """A field of an entity. `inner` is the entity inside its type, `missing` what it is where a version lacks it."""

    name: str
    inner: Any
    missing: Any


def lift(key: int, version: int, message: Any) -> Any:
    """The request as the newest served version has it; itself when its fields already suffice."""
    newest = _request_type(key, APIS[key].max_version)
    if _covers(message.__class__, newest):
        return message
    reshape = _RESHAPES.get(key)
    given = reshape(version, message) if reshape else {}
    return _rebuild(newest, message, given)


@functools.cache
def _request_type(key: int, version: int) -> Any:
    return load_request_schema(key, version)


@functools.cache
def _covers(old: Hashable, new: Hashable) -> bool:
    known = {field.name: field.inner for field in _fields(old)}
    return old is new or all(
        field.name in known and (field.inner is None or _covers(known[field.name], field.inner))
        for field in _fields(new)
    )


@functools.cache
def _fields(entity: Hashable) -> tuple[Field, ...]:
    found: Any = dataclasses.fields(cast("Any", entity))
    return tuple(
        Field(each.name, _inner(each.type), _empty(each.type) if each.default is dataclasses.MISSING else each.default)
        for each in found
    )


def _inner(annotation: Any) -> Any:
    """The entity inside a field's type (`X`, `tuple[X, ...]`, `tuple[X, ...] | None`), or None for plain values."""
    if dataclasses.is_dataclass(annotation):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _inner(part)) is not None), None)


def _rebuild(new: Any, old: Any, given: dict[str, Any]) -> Any:
    values = {}
    for name, inner, missing in _fields(new):
        if name in given:
            values[name] = given[name]
        elif not hasattr(old, name):
            values[name] = missing
        else:
            values[name] = _lifted_value(getattr(old, name), inner)
    return new(**values)


def _lifted_value(value: Any, inner: Any) -> Any:
    if inner is None or value is None:
        return value
    if isinstance(value, tuple):
        return tuple(_rebuild(inner, item, {}) for item in value)
    return _rebuild(inner, value, {})


def _empty(annotation: Any) -> Any:
    if type(None) in typing.get_args(annotation):
        return None
    if typing.get_origin(annotation) is tuple:
        return ()
    if annotation is bool:
        return False
    if isinstance(annotation, type) and issubclass(annotation, bytes | str):
        return b"" if issubclass(annotation, bytes) else ""
    return 0


def _reshape_find_coordinator(version: int, message: Any) -> dict[str, Any]:
    return {"coordinator_keys": (message.key,)}


def _reshape_offset_fetch(version: int, message: Any) -> dict[str, Any]:
    newest = _request_type(OFFSET_FETCH, APIS[OFFSET_FETCH].max_version)
    group = next(field.inner for field in _fields(newest) if field.name == "groups")
    return {"groups": (_rebuild(group, message, {}),)}


def _reshape_leave_group(version: int, message: Any) -> dict[str, Any]:
    if version >= 3:
        return {}
    newest = _request_type(LEAVE_GROUP, APIS[LEAVE_GROUP].max_version)
    member = next(field.inner for field in _fields(newest) if field.name == "members")
    return {"members": (_rebuild(member, message, {}),)}


_RESHAPES: dict[int, Callable[[int, Any], dict[str, Any]]] = {
    FIND_COORDINATOR: _reshape_find_coordinator,
    OFFSET_FETCH: _reshape_offset_fetch,
    LEAVE_GROUP: _reshape_leave_group,
}
