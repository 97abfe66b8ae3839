"""Steps of one record at a time: from a handle and the user's function to a node and the handle after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from os import PathLike, fspath
from typing import Any

from millstream.dsl.handle import Handle, check_topics, given_serde, key_serde, same_serde, value_serde
from millstream.errors import TopologyError
from millstream.plan.function import positional_parameters, user_function
from millstream.plan.nodes import (
    Filter,
    FlatMap,
    FlatMapValues,
    Map,
    MapValues,
    Merge,
    Partitioner,
    Peek,
    SelectKey,
    Sink,
)
from millstream.plan.sinks import Print, RoutedSink
from millstream.plan.site import CallSite, call_site


def filtered(handle: Handle, predicate: Callable[..., object], name: str | None, *, negated: bool) -> Handle:
    site = call_site("filter_not" if negated else "filter")
    fn = user_function(predicate, site)
    node = handle.builder.name("KSTREAM-FILTER", name)
    return handle.after(Filter(name=node, parents=(handle.node,), site=site, predicate=fn, negated=negated))


def mapped_values(handle: Handle, mapper: Callable[..., Any], value: Any, name: str | None) -> Handle:
    site = call_site("map_values")
    fn = user_function(mapper, site)
    node = handle.builder.name("KSTREAM-MAPVALUES", name)
    added = MapValues(name=node, parents=(handle.node,), site=site, mapper=fn)
    return handle.after(added, value=value_serde(value, mapper))


def flat_mapped_values(handle: Handle, mapper: Callable[..., Any], value: Any, name: str | None) -> Handle:
    site = call_site("flat_map_values")
    fn = user_function(mapper, site, manner="generator")
    node = handle.builder.name("KSTREAM-FLATMAPVALUES", name)
    added = FlatMapValues(name=node, parents=(handle.node,), site=site, mapper=fn)
    return handle.after(added, value=value_serde(value, None))


def mapped(handle: Handle, mapper: Callable[..., Any], serdes: tuple[Any, Any], name: str | None) -> Handle:
    site = call_site("map")
    fn = user_function(mapper, site)
    node = handle.builder.name("KSTREAM-MAP", name)
    return _rekeyed(handle, Map(name=node, parents=(handle.node,), site=site, mapper=fn), serdes)


def flat_mapped(handle: Handle, mapper: Callable[..., Any], serdes: tuple[Any, Any], name: str | None) -> Handle:
    site = call_site("flat_map")
    fn = user_function(mapper, site, manner="generator")
    node = handle.builder.name("KSTREAM-FLATMAP", name)
    return _rekeyed(handle, FlatMap(name=node, parents=(handle.node,), site=site, mapper=fn), serdes)


def key_selected(handle: Handle, mapper: Callable[..., Any], key: Any, name: str | None) -> Handle:
    site = call_site("select_key")
    fn = user_function(mapper, site)
    node = handle.builder.name("KSTREAM-KEY-SELECT", name)
    added = SelectKey(name=node, parents=(handle.node,), site=site, mapper=fn)
    return handle.after(added, key=key_serde(key, mapper), key_changed=True)


def peeked(handle: Handle, action: Callable[..., object], name: str | None, *, last: bool) -> Handle:
    site = call_site("foreach" if last else "peek")
    fn = user_function(action, site)
    node = handle.builder.name("KSTREAM-FOREACH" if last else "KSTREAM-PEEK", name)
    return handle.after(Peek(name=node, parents=(handle.node,), site=site, action=fn))


def merged(handle: Handle, other: Handle, name: str | None) -> Handle:
    site = call_site("merge")
    node = handle.builder.name("KSTREAM-MERGE", name)
    if handle.builder is not other.builder:
        raise TopologyError(f"{site}: the streams belong to different apps")
    if not (same_serde(handle.key, other.key) and same_serde(handle.value, other.value)):
        raise TopologyError(
            f"{site}: the streams have different serdes, ({handle.key.name}, {handle.value.name}) and "
            f"({other.key.name}, {other.value.name}); bring both to one type with map_values or select_key"
        )
    added = Merge(name=node, parents=(handle.node, other.node), site=site)
    return handle.after(added, key_changed=handle.key_changed or other.key_changed)


def printed(
    handle: Handle,
    how: tuple[str | None, Callable[..., str] | None, str | PathLike[str] | None],
    name: str | None,
) -> None:
    label, shown, file = how
    site = call_site("print")
    fn = None if shown is None else user_function(shown, site)
    node = handle.builder.name("KSTREAM-PRINTER", name)
    path = None if file is None else fspath(file)
    added = Print(name=node, parents=(handle.node,), site=site, label=label or handle.node, shown=fn, file=path)
    handle.builder.add(added)


def sunk(
    handle: Handle,
    topic: str | Callable[..., str],
    serdes: tuple[Any, Any],
    name: str | None,
    partitioner: Partitioner | None,
) -> None:
    node = handle.builder.name("KSTREAM-SINK", name)
    add_sink(handle, topic, serdes, (node, (handle.node,), call_site("to")), partitioner)


def add_sink(
    handle: Handle,
    topic: str | Callable[..., str],
    serdes: tuple[Any, Any],
    place: tuple[str, tuple[str, ...], CallSite],
    partitioner: Partitioner | None,
) -> None:
    """A sink of a name, behind some nodes. The serdes are the handle's where none are given."""
    (key, value), (name, parents, site) = serdes, place
    if not callable(topic) and (not isinstance(topic, str) or not topic):
        raise TopologyError(f"{site}: expected a topic's name, or a function that tells it, got {topic!r}")
    if isinstance(topic, str):
        check_topics((topic,), site)
    check_partitioner(partitioner, site)
    common: dict[str, Any] = {
        "name": name,
        "parents": parents,
        "site": site,
        "key": handle.key if key is None else given_serde(key, key=True),
        "value": handle.value if value is None else given_serde(value),
        "partitioner": partitioner,
    }
    if isinstance(topic, str):
        handle.builder.add(Sink(topic=topic, **common))
    else:
        sees_context = (positional_parameters(topic) or (1, 1))[0] == 3
        topic_of = user_function(topic, site, values=3, key=False) if sees_context else user_function(topic, site)
        handle.builder.add(RoutedSink(topic_of=topic_of, sees_context=sees_context, **common))


def with_serdes(handle: Handle, key: Any, value: Any) -> Handle:
    """The same place, with other serdes where they are given."""
    return replace(
        handle,
        key=handle.key if key is None else given_serde(key, key=True),
        value=handle.value if value is None else given_serde(value),
    )


def check_partitioner(partitioner: Any, site: CallSite) -> None:
    """A partitioner is called with (key, value, number of partitions)."""
    if partitioner is not None:
        user_function(partitioner, site, values=3, key=False)


def _rekeyed(handle: Handle, node: Map | FlatMap, serdes: tuple[Any, Any]) -> Handle:
    # what a pair is made of cannot be told from the function's annotation
    key, value = serdes
    return handle.after(node, key=key_serde(key, None), value=value_serde(value, None), key_changed=True)
