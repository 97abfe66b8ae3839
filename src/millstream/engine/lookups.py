"""How a node finds the row of another table: in its store, or by what its parents' rows make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from millstream.engine.folds import result_of
from millstream.engine.stores import Rows
from millstream.plan.cogroup import CogroupMerge
from millstream.plan.nodes import Node, TableNode
from millstream.plan.suppress import Suppress
from millstream.plan.tables import TableFilter, TableMapValues, TableMerge, TableTransform
from millstream.state import KeyValueRows, SessionRows, SuppressRows, VersionedRows, WindowRows
from millstream.state.keyvalue import Row

# key, and of a versioned table also a moment -> value and timestamp, None where there is no row
Lookup: TypeAlias = Callable[..., tuple[Any, int] | None]
# by node: what transforms rows that are looked up, of (key, value, timestamp)
Transforms: TypeAlias = dict[str, Callable[[Any, Any, int], Any] | None]


def lookup(name: str, nodes: Mapping[str, Node], stores: Mapping[str, Rows], transforms: Transforms) -> Lookup:
    """The function that finds a table's rows as they are now. Notes in `transforms` which transformers it needs."""
    node = nodes[name]

    def of(parent: str) -> Lookup:
        return lookup(parent, nodes, stores, transforms)

    match node:
        case TableNode(store=str(store)):
            return _stored(node, stores[store])
        case CogroupMerge():
            return of(node.parents[0])
        case Suppress(buffer=buffer):
            return _suppressed(stores[buffer], of(node.parents[0]))
        case TableFilter():
            return _filtered(node, of(node.parents[0]))
        case TableMapValues():
            return _mapped(node, of(node.parents[0]))
        case TableTransform():
            transforms.setdefault(node.name)
            return _transformed(node, of(node.parents[0]), transforms)
        case TableMerge():
            return _joined(node, of(node.left_table), of(node.right_table))
        case _:
            raise AssertionError(f"{name} is no table")


def is_versioned(name: str, nodes: Mapping[str, Node], stores: Mapping[str, Rows]) -> bool:
    """Whether a table's rows can be looked up as of a moment; those of a join cannot."""
    node = nodes[name]
    match node:
        case TableNode(store=str(store)):
            return isinstance(stores[store], VersionedRows)
        case TableFilter() | TableMapValues() | CogroupMerge():
            return is_versioned(node.parents[0], nodes, stores)
        case _:
            return False


def _stored(node: TableNode, rows: Rows) -> Lookup:
    result = result_of(node)
    get = _getter(rows)

    def found(key: Any, *at: int) -> tuple[Any, int] | None:
        row = get(key, *at)
        return None if row is None else (row[0] if result is None else result(row[0]), row[1])

    return found


def _getter(rows: Rows) -> Callable[..., Row | None]:
    match rows:
        case WindowRows() | SessionRows():
            return rows.get
        case VersionedRows():
            return lambda key, *at: rows.at(key, *at) if at else rows.get(key)
        case KeyValueRows():
            return rows.get
        case _:
            raise AssertionError(f"{rows.name} holds no table")


def _suppressed(rows: Rows, of_parent: Lookup) -> Lookup:
    """What was passed on: of a key that is held back, what was there before."""
    assert isinstance(rows, SuppressRows)

    def found(key: Any, *_at: int) -> tuple[Any, int] | None:
        held = rows.find(key)
        if held is None:
            return of_parent(key)
        return None if held.prior is None else (held.prior, -1)

    return found


def _filtered(node: TableFilter, of_parent: Lookup) -> Lookup:
    passes, negated = node.predicate.by_key_and_value, node.negated

    def found(key: Any, *at: int) -> tuple[Any, int] | None:
        row = of_parent(key, *at)
        return None if row is None or bool(passes(key, row[0])) is negated else row

    return found


def _mapped(node: TableMapValues, of_parent: Lookup) -> Lookup:
    mapper = node.mapper.by_key_and_value

    def found(key: Any, *at: int) -> tuple[Any, int] | None:
        row = of_parent(key, *at)
        value = None if row is None else mapper(key, row[0])
        return None if row is None or value is None else (value, row[1])

    return found


def _transformed(node: TableTransform, of_parent: Lookup, transforms: Transforms) -> Lookup:
    name = node.name

    def found(key: Any, *_at: int) -> tuple[Any, int] | None:
        row = of_parent(key)
        value, timestamp = (None, -1) if row is None else row
        transform = transforms[name]  # there now: this function was made before its parent's
        assert transform is not None
        value = transform(key, value, timestamp)
        return None if value is None else (value, timestamp)

    return found


def _joined(node: TableMerge, of_left: Lookup, of_right: Lookup) -> Lookup:
    joiner, kind = node.joiner.call, node.kind
    with_key = node.joiner.with_key

    def found(key: Any) -> tuple[Any, int] | None:
        left, right = of_left(key), of_right(key)
        if (left is None and right is None) or (
            kind != "outer" and (left is None or (right is None and kind == "inner"))
        ):
            return None
        sides = (None if left is None else left[0], None if right is None else right[0])
        value = joiner(key, *sides) if with_key else joiner(*sides)
        timestamp = max(side[1] for side in (left, right) if side is not None)
        return None if value is None else (value, timestamp)

    return found
