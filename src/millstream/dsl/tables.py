"""Operators of tables: filter, map_values, group_by and its aggregations, joins of two tables."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from millstream.dsl.aggregation import Materialized
from millstream.dsl.grouping import GroupName
from millstream.dsl.handle import Handle, key_serde, same_serde, value_serde
from millstream.dsl.processing import Stores, check_supplier, connected
from millstream.dsl.rows import looked_up, send_old
from millstream.errors import TopologyError
from millstream.plan.aggregation import Balanced, Declared
from millstream.plan.function import user_function
from millstream.plan.nodes import RepartitionTopic, Sink, Source, TableNode, TableSource
from millstream.plan.site import CallSite, call_site
from millstream.plan.tables import (
    JoinKind,
    TableAggregate,
    TableFilter,
    TableMapValues,
    TableMerge,
    TableSelect,
    TableTableJoin,
    TableTransform,
)
from millstream.serde import ChangeSerde, Serde


def filtered(table: Handle, predicate: Callable[..., object], how: Materialized, *, negated: bool) -> Handle:
    site = call_site("filter_not" if negated else "filter")
    fn = user_function(predicate, site)
    node = table.builder.name("KTABLE-FILTER", how.name)
    # rule K4: old values are taken where they are to be had; a store is not made for them
    old = send_old(table, needed=False)
    added = TableFilter(
        name=node,
        parents=(table.node,),
        site=site,
        predicate=fn,
        negated=negated,
        sends_old=old,
        **_kept(table, how, site),
    )
    return _added(table, added, table.value, how)


def mapped_values(table: Handle, mapper: Callable[..., Any], value: Any, how: Materialized) -> Handle:
    site = call_site("map_values")
    fn = user_function(mapper, site)
    node = table.builder.name("KTABLE-MAPVALUES", how.name)
    added = TableMapValues(name=node, parents=(table.node,), site=site, mapper=fn, **_kept(table, how, site))
    return _added(table, added, value_serde(value, mapper), how)


def transformed_values(table: Handle, supplier: Any, stores: Stores, value: Any, how: Materialized) -> Handle:
    site = call_site("transform_values")
    if inspect.isgeneratorfunction(supplier) or inspect.isasyncgenfunction(supplier):
        raise TopologyError(f"{site}: expected a class with transform(key, value), or a function that makes one")
    check_supplier(supplier, site, "transform")
    names = connected(table.builder, supplier, stores, site)
    node = table.builder.name("KTABLE-TRANSFORMVALUES", how.name)
    added = TableTransform(
        name=node, parents=(table.node,), site=site, supplier=supplier, stores=names, **_kept(table, how, site)
    )
    return _added(table, added, value_serde(value, None), how)


def to_table(stream: Handle, how: Materialized) -> Handle:
    """Rule N13; null keys are dropped, null values delete (rule K6)."""
    site = call_site("to_table")
    builder = stream.builder
    node = builder.name("KSTREAM-TOTABLE", how.name)
    spec = how.spec(how.store or builder.name("KSTREAM-TOTABLE-STATE-STORE"), stream.key, stream.value, site)
    if stream.key_changed:
        stream = stream.repartitioned(how.name, site, generated=node)
    builder.reserved[node] = spec
    stored = how.store is not None or how.history is not None
    if stored:
        builder.add_store(spec, site)
    added = TableSource(
        name=node,
        parents=(stream.node,),
        site=site,
        store=spec.name if stored else None,
        emit=how.emission(builder, site),
    )
    return stream.after(added, key_changed=False)


# --- group_by


@dataclass(frozen=True, slots=True)
class Selected:
    """A grouped table: the place behind its selector, and the name for its repartition topic, if one was given."""

    handle: Handle
    name: GroupName


def selected(table: Handle, selector: Callable[..., Any], serdes: tuple[Any, Any], name: str | None) -> Selected:
    site = call_site("group_by")
    fn = user_function(selector, site)
    node = table.builder.name("KTABLE-SELECT", name)
    send_old(table, needed=True)
    key, value = serdes
    handle = table.after(
        TableSelect(name=node, parents=(table.node,), site=site, selector=fn),
        key=key_serde(key, None) if key is not None else table.key,
        value=value_serde(value, None) if value is not None else table.value,
        store=None,
    )
    return Selected(handle, GroupName(name))


def balanced(
    group: Selected,
    aggregation: Balanced | Declared,
    serdes: tuple[Serde[Any], Serde[Any]],
    how: Materialized,
    site: CallSite,
) -> Handle:
    """Rule N12. `serdes` are of what the store holds and of the results."""
    stored, results = serdes
    handle, builder = group.handle, group.handle.builder
    kind = "REDUCE" if site.operator == "reduce" else "AGGREGATE"
    store = how.store or builder.name("KTABLE-AGGREGATE-STATE-STORE")
    sink, source = (
        builder.name(f"KSTREAM-{kind}", how.name and f"{how.name}-{kind.lower()}") for kind in ("SINK", "SOURCE")
    )
    topic = RepartitionTopic(f"{group.name.given or store}-repartition")
    shared = builder.source_of(topic.name) if group.name.used else None
    if shared is None:
        _through(handle, topic, (sink, source), site)
        group.name.used = group.name.given is not None
    builder.add_store(how.spec(store, handle.key, stored, site), site)
    added = TableAggregate(
        name=builder.name(f"KTABLE-{kind}", how.name),
        parents=(source if shared is None else shared.name,),
        site=site,
        store=store,
        emit=how.emission(builder, site),
        aggregation=aggregation,
    )
    return handle.after(added, value=results, store=store)


def _through(handle: Handle, topic: RepartitionTopic, names: tuple[str, str], site: CallSite) -> None:
    """A table's changes, old and new values together, go through a topic."""
    sink, source = names
    handle.builder.add_repartition_topic(topic, site)
    changes: dict[str, Any] = {"site": site, "key": handle.key, "value": ChangeSerde(handle.value), "internal": True}
    handle.builder.add(Sink(name=sink, parents=(handle.node,), topic=topic.name, **changes))
    handle.builder.add(Source(name=source, parents=(), topics=(topic.name,), **changes))


# --- joins


def joined(
    left: Handle, right: Handle, kind: JoinKind, joiner: Callable[..., Any], result: Any, how: Materialized
) -> Handle:
    site = call_site("join" if kind == "inner" else f"{kind}_join")
    fn = user_function(joiner, site, values=2)
    builder = left.builder
    if builder is not right.builder:
        raise TopologyError(f"{site}: the tables belong to different apps")
    if not same_serde(left.key, right.key):
        raise TopologyError(
            f"{site}: the left table's keys are {left.key.name} and the right one's {right.key.name}; "
            "a join of tables is on equal keys, so declare the same type on both sides"
        )
    merge = builder.name("KTABLE-MERGE", how.name)
    this, other = _side_names(left, how.name)
    if kind != "inner":
        send_old(left, needed=True)
    if kind == "outer":
        send_old(right, needed=True)
    sides = ((this, left, right, False), (other, right, left, True))
    for name, mine, theirs, is_right in sides:
        builder.add(
            TableTableJoin(
                name=name,
                parents=(mine.node,),
                site=site,
                kind=kind,
                right=is_right,
                other=theirs.node,
                looked_up=looked_up(theirs),
                joiner=fn,
            )
        )
    added = TableMerge(
        name=merge,
        parents=(this, other),
        site=site,
        kind=kind,
        left_table=left.node,
        right_table=right.node,
        joiner=fn,
        **_kept(left, how, site),
    )
    return _added(left, added, value_serde(result, joiner), how)


def _side_names(left: Handle, name: str | None) -> tuple[str, str]:
    this = left.builder.name("KTABLE-JOINTHIS", name and f"{name}-join-this")
    other = left.builder.name("KTABLE-JOINOTHER", name and f"{name}-join-other")
    return this, other


def _kept(table: Handle, how: Materialized, site: CallSite) -> dict[str, Any]:
    if how.store is None and how.history is not None:
        raise TopologyError(f"{site}: history= is of a store; name it with store=")
    return {"store": how.store, "emit": how.emission(table.builder, site) if how.store else "every"}


def _added(table: Handle, node: TableNode, value: Serde[Any], how: Materialized) -> Handle:
    if node.store is not None:
        table.builder.add_store(how.spec(node.store, table.key, value, node.site), node.site)
    return table.after(node, value=value, store=node.store)
