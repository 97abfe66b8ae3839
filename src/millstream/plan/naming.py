"""Names that were generated: they count operators, so that those of stores and topics change with the program."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from millstream.errors import TopologyError
from millstream.plan.foreign_key import Subscribe
from millstream.plan.nodes import Node, Sink, StoreSpec, TableJoin
from millstream.plan.rewrites.draft import Draft
from millstream.plan.suppress import Suppress

_COUNTED = re.compile(r"-[0-9]{10}")


def refuse_unnamed(draft: Draft, generated: Collection[str]) -> None:
    """Every internal topic must have a name of the user's; `generated` are all names that were counted.

    Kafka Streams' `ensure.explicit.internal.resource.naming`.
    """
    found = [*_topics(draft, generated), *_stores(draft, generated)]
    if found:
        raise TopologyError(
            "require_names: these names are generated, and would change with the program before them:\n"
            + "\n".join(f"  {line}" for line in found)
        )


def _topics(draft: Draft, generated: Collection[str]) -> Iterator[str]:
    for sink in draft.nodes:
        if isinstance(sink, Sink) and sink.internal and _is_counted(sink.topic, generated):
            given = "name= of its group, or store=" if sink.site.operator in _AGGREGATIONS else "name="
            yield f"{sink.site}: the topic {sink.topic}; give {given}"


_AGGREGATIONS = ("count", "reduce", "aggregate")


def _stores(draft: Draft, generated: Collection[str]) -> Iterator[str]:
    for store in draft.stores:
        users = [node for node in draft.nodes if store.name in node.store_names]
        if users and store.logged and store.source_topic is None and _is_counted(store.name, generated):
            owner = _owner(users, store)
            given = "name=" if isinstance(owner, Suppress | TableJoin | Subscribe) else "store="
            yield f"{owner.site}: the changelog of the store {store.name}; give {given}"


def _owner(users: list[Node], store: StoreSpec) -> Node:
    """Those that only look it up came later, or before it was known to be needed."""
    return next((node for node in users if getattr(node, "store", None) == store.name), users[0])


def _is_counted(name: str, generated: Collection[str]) -> bool:
    """Whether it begins with a generated name; stores of rows that wait in a join have none of their own."""
    begins = (name[: found.end()] for found in _COUNTED.finditer(name))
    return any(begin in generated or begin.startswith("KSTREAM-OUTERSHARED-") for begin in begins)
