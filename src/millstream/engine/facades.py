"""From a store's rows to what a processor sees of them (rules P7, P9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from millstream.engine.folds import result_of
from millstream.plan.nodes import Node, StoreSpec, TableNode
from millstream.state import Access, KeyValueStore, SessionStore, VersionedStore, WindowStore


def facade(spec: StoreSpec, rows: Any, access: Access) -> Any:
    """The store for a processor; None for the kinds that only the operators they belong to understand."""
    match spec.kind:
        case "keyvalue":
            return KeyValueStore(rows, access)
        case "window":
            return WindowStore(rows, access)
        case "session":
            return SessionStore(rows, access)
        case "versioned":
            return VersionedStore(rows, access)
        case _:
            return None


def results_of(store: str, nodes: Mapping[str, Node]) -> Callable[[Any], Any] | None:
    """What an aggregate shows of what its store holds; None where that is the same, and for other stores."""
    keeper = kept_by(store, nodes)
    return result_of(keeper) if isinstance(keeper, TableNode) else None


def kept_by(store: str, nodes: Mapping[str, Node]) -> Node | None:
    """The operator that keeps this store up to date; None for a store that was declared for processors."""
    return next((node for node in nodes.values() if getattr(node, "store", None) == store), None)
