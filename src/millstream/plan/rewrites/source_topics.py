"""A table's own topic as the changelog of its store: the same rows need not be written a second time (rules K2, X7)."""

from __future__ import annotations

from dataclasses import replace

from millstream.plan.nodes import TableSource
from millstream.plan.rewrites.draft import Draft


def reuse_source_topics(draft: Draft) -> Draft:
    """The store of a table that was read from a topic is restored from that topic, up to the committed offset."""
    topics = {node.store: node.topic for node in draft.nodes if isinstance(node, TableSource) and node.topic}
    stores = (replace(store, source_topic=topics.get(store.name)) for store in draft.stores)
    return replace(draft, stores=tuple(stores))
