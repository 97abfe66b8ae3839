"""Joins of a stream with a table and with a global table (rules J13-J15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millstream.dsl.handle import Handle, check_lookup, same_serde, value_serde
from millstream.dsl.rows import history_of, looked_up
from millstream.duration import Duration, parse_duration_ms
from millstream.errors import TopologyError
from millstream.plan.function import user_function
from millstream.plan.nodes import GlobalJoin, StoreSpec, TableJoin
from millstream.plan.site import CallSite, call_site


def table_joined(
    handle: Handle,
    table: Handle,
    joiner: Callable[..., Any],
    options: tuple[Any, Duration | None, str | None],
    *,
    left: bool,
) -> Handle:
    """`options` are the result's serde, the grace for which stream records wait, and the operator's name."""
    result, grace, name = options
    site = call_site("left_join" if left else "join")
    fn = user_function(joiner, site, values=2)
    if table.builder is not handle.builder:
        raise TopologyError(f"{site}: the stream and the table belong to different apps")
    if not same_serde(table.key, handle.key):
        raise TopologyError(
            f"{site}: the stream's keys are {handle.key.name} and the table's {table.key.name}; "
            "use select_key, or declare the same key type on both sides"
        )
    stores = looked_up(table)
    if handle.key_changed:
        handle = handle.repartitioned_for_join(name, site)
    node = handle.builder.name("KSTREAM-LEFTJOIN" if left else "KSTREAM-JOIN", name)
    grace_ms = 0 if grace is None else parse_duration_ms(grace)
    buffer = None
    if grace is not None:
        _check_grace(table, grace_ms, site)
        buffer = f"{node}-Buffer"
        handle.builder.add_store(StoreSpec(buffer, "join-buffer", handle.key, handle.value), site)
    added = TableJoin(
        name=node,
        parents=(handle.node,),
        site=site,
        table=table.node,
        looked_up=stores,
        joiner=fn,
        left=left,
        buffer=buffer,
        grace_ms=grace_ms,
    )
    return handle.after(added, value=value_serde(result, joiner))


def _check_grace(table: Handle, grace_ms: int, site: CallSite) -> None:
    history_ms = history_of(table)
    if history_ms is None:
        raise TopologyError(f"{site}: grace= needs a versioned table; give it history=, such as history='1h'")
    if history_ms < grace_ms:
        raise TopologyError(
            f"{site}: the table knows {history_ms} ms of its history, less than the grace of {grace_ms} ms; "
            "give it a longer history="
        )


def global_joined(
    handle: Handle,
    store: str,
    functions: tuple[Callable[..., Any], Callable[..., Any]],
    result: Any,
    name: str | None,
    *,
    left: bool,
) -> Handle:
    site = call_site("left_join" if left else "join")
    key, joiner = functions
    if not handle.builder.has_global_table(store):
        raise TopologyError(f"{site}: the stream and the global table belong to different apps")
    check_lookup(key, handle.builder.global_table(store).key, site)
    node = handle.builder.name("KSTREAM-LEFTJOIN", name)
    added = GlobalJoin(
        name=node,
        parents=(handle.node,),
        site=site,
        store=store,
        key=user_function(key, site),
        joiner=user_function(joiner, site, values=2),
        left=left,
    )
    return handle.after(added, value=value_serde(result, joiner))
