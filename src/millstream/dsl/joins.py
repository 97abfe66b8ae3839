"""Joins of a stream with a table and with a global table (rules J13-J15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millstream.dsl.handle import Handle, same_serde, value_serde
from millstream.dsl.rows import looked_up
from millstream.errors import TopologyError
from millstream.plan.function import user_function
from millstream.plan.nodes import GlobalJoin, TableJoin
from millstream.plan.site import call_site


def table_joined(
    handle: Handle, table: Handle, joiner: Callable[..., Any], result: Any, name: str | None, *, left: bool
) -> Handle:
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
        handle = handle.repartitioned(name, site, generated=handle.node, null_keys=left)
    node = handle.builder.name("KSTREAM-LEFTJOIN" if left else "KSTREAM-JOIN", name)
    added = TableJoin(
        name=node, parents=(handle.node,), site=site, table=table.node, looked_up=stores, joiner=fn, left=left
    )
    return handle.after(added, value=value_serde(result, joiner))


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
