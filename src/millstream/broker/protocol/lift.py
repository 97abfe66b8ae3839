"""Requests of older versions, lifted to the newest version served, so that a handler knows one form only.

A field that an old version lacks gets Kafka's default. Where a request changed its shape (one group, key or member
became a list of them), it is lifted by hand. Where names of topics became ids there are two forms, before and after.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, cast

from kio.index import load_request_schema

from millstream.broker.protocol.apis import (
    ADD_PARTITIONS_TO_TXN,
    APIS,
    DELETE_TOPICS,
    FETCH,
    FIND_COORDINATOR,
    LEAVE_GROUP,
    METADATA,
    OFFSET_FETCH,
    TOPIC_IDS_FROM,
)

_SUFFICIENT = {FETCH: 15, METADATA: 10}
"""The version that has all that the handler uses: Fetch is not rebuilt for the few fields that later ones add; Metadata
is the last that can ask what a client may do to the cluster.
"""


class Field(NamedTuple):
    """A field of an entity. `inner` is the entity inside its type, `missing` what it is where a version lacks it."""

    name: str
    inner: Any
    missing: Any


def lift(key: int, version: int, message: Any) -> Any:
    """The request as the newest served version of its form has it; itself when its fields already suffice."""
    newest = _newest_type(key, version)
    if _covers(message.__class__, newest):
        return message
    reshape = _RESHAPES.get(key)
    given = reshape(version, message) if reshape else {}
    return _rebuild(newest, message, given)


def _newest(key: int, version: int) -> int:
    ids_from = TOPIC_IDS_FROM.get(key)
    if ids_from is not None and version < ids_from:
        return ids_from - 1
    return _SUFFICIENT.get(key, APIS[key].max_version)


@functools.cache
def _newest_type(key: int, version: int) -> Any:
    return load_request_schema(key, _newest(key, version))


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
    if version >= 4:
        return {}
    return {"coordinator_keys": (message.key,)}


def _reshape_offset_fetch(version: int, message: Any) -> dict[str, Any]:
    if version >= 8:
        return {}
    newest = _newest_type(OFFSET_FETCH, version)
    group = next(field.inner for field in _fields(newest) if field.name == "groups")
    return {"groups": (_rebuild(group, message, {}),)}


def _reshape_leave_group(version: int, message: Any) -> dict[str, Any]:
    if version >= 3:
        return {}
    newest = _request_type(LEAVE_GROUP, APIS[LEAVE_GROUP].max_version)
    member = next(field.inner for field in _fields(newest) if field.name == "members")
    return {"members": (_rebuild(member, message, {}),)}


def _reshape_delete_topics(version: int, message: Any) -> dict[str, Any]:
    newest = _request_type(DELETE_TOPICS, APIS[DELETE_TOPICS].max_version)
    topic = next(field.inner for field in _fields(newest) if field.name == "topics")
    return {"topics": tuple(topic(name=name, topic_id=None) for name in message.topic_names)}


def _reshape_add_partitions_to_txn(version: int, message: Any) -> dict[str, Any]:
    if version >= 4:
        return {}
    newest = _request_type(ADD_PARTITIONS_TO_TXN, APIS[ADD_PARTITIONS_TO_TXN].max_version)
    transaction = next(field.inner for field in _fields(newest) if field.name == "transactions")
    topic = next(field.inner for field in _fields(transaction) if field.name == "topics")
    only = transaction(
        transactional_id=message.v3_and_below_transactional_id,
        producer_id=message.v3_and_below_producer_id,
        producer_epoch=message.v3_and_below_producer_epoch,
        topics=tuple(_rebuild(topic, each, {}) for each in message.v3_and_below_topics),
    )
    return {"transactions": (only,)}


_RESHAPES: dict[int, Callable[[int, Any], dict[str, Any]]] = {
    ADD_PARTITIONS_TO_TXN: _reshape_add_partitions_to_txn,
    FIND_COORDINATOR: _reshape_find_coordinator,
    OFFSET_FETCH: _reshape_offset_fetch,
    LEAVE_GROUP: _reshape_leave_group,
    DELETE_TOPICS: _reshape_delete_topics,
}
