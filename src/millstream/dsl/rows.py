"""Where a table's rows are: in its own store, or in those of the tables that they follow from (rules K2, K3)."""

from __future__ import annotations

from dataclasses import replace

from millstream.dsl.builder import Builder
from millstream.dsl.handle import Handle
from millstream.plan.cogroup import CogroupMerge
from millstream.plan.nodes import TableNode, TableSource
from millstream.plan.suppress import Suppress
from millstream.plan.tables import TableFilter, TableMapValues, TableMerge, TableTableJoin, TableTransform


def looked_up(table: Handle) -> tuple[str, ...]:
    """The stores that a table's rows are read from; a source table gets one when it is first needed."""
    return _stores_behind(table.builder, table.node)


def send_old(table: Handle, *, needed: bool) -> bool:
    """Ask a table to pass on old values. `needed`: give its source a store, if it takes one to have them."""
    return _send_old(table.builder, table.node, needed=needed)


def history_of(table: Handle) -> int | None:
    """How much of its past a versioned table knows, in ms; None for a table that knows the latest rows alone."""
    node = table.builder.node(table.node)
    while isinstance(node, TableFilter | TableMapValues | CogroupMerge) and node.store is None:
        node = table.builder.node(node.parents[0])
    store = node.store if isinstance(node, TableNode) else None
    spec = None if store is None else table.builder.store(store)
    return spec.history_ms if spec is not None and spec.kind == "versioned" else None


def _stores_behind(builder: Builder, name: str) -> tuple[str, ...]:
    node = builder.node(name)
    match node:
        case TableNode(store=str(store)):
            return (store,)
        case TableSource():
            return (_materialized(builder, node),)
        case TableFilter() | TableMapValues() | TableTransform() | CogroupMerge():
            return _stores_behind(builder, node.parents[0])
        case Suppress(buffer=buffer):
            return (*_stores_behind(builder, node.parents[0]), buffer)
        case TableMerge(left_table=left, right_table=right):
            return tuple(dict.fromkeys((*_stores_behind(builder, left), *_stores_behind(builder, right))))
        case _:
            raise AssertionError(f"{node.name} is no table")


def _send_old(builder: Builder, name: str, *, needed: bool) -> bool:
    node = builder.node(name)
    assert isinstance(node, TableNode)
    match node:
        case TableSource(store=None):
            if not needed:
                return False
            _materialized(builder, node)
        case TableFilter(store=None) | TableMapValues(store=None) | TableTransform(store=None) | Suppress():
            if not _send_old(builder, node.parents[0], needed=needed):
                return False
        case TableMerge() | CogroupMerge():
            for side in node.parents:
                _send_old(builder, side, needed=True)
        case TableTableJoin():
            _send_old(builder, node.parents[0], needed=True)
        case _:
            pass  # it has a store
    found = builder.node(name)  # with the store that it may have got just now
    assert isinstance(found, TableNode)
    builder.replace(replace(found, sends_old=True))
    return True


def _materialized(builder: Builder, node: TableSource) -> str:
    store = builder.reserved[node.name]
    builder.add_store(store, node.site)
    builder.replace(replace(node, store=store.name))
    return store.name
