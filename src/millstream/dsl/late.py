"""The stream of the records that a windowed aggregation dropped as late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from millstream.dsl.handle import Handle, given_serde, same_serde
from millstream.errors import TopologyError
from millstream.plan.cogroup import CogroupMerge
from millstream.plan.late import LateRecords
from millstream.plan.nodes import Aggregate
from millstream.plan.site import call_site
from millstream.plan.windows import UnlimitedWindows


def late_records(table: Handle, key_given: Any, value_given: Any) -> Handle:
    """The node takes its name from the aggregation's, so that no other generated name changes."""
    site = call_site("late")
    builder = table.builder
    node = builder.node(table.node)
    names = node.parents if isinstance(node, CogroupMerge) else (node.name,)
    aggregations = [builder.node(name) for name in names]
    for each in aggregations:
        if not isinstance(each, Aggregate) or each.windows is None:
            raise TopologyError(
                f"{site}: only aggregations in windows drop late records; call late() on the table that count, reduce "
                "or aggregate gave, before any other operator"
            )
        if isinstance(each.windows, UnlimitedWindows):
            raise TopologyError(f"{site}: unlimited windows never close, so that no record is late for them")
    (key, value), *others = (builder.taken[name] for name in names)
    for _, other in others:
        if not same_serde(value, other):
            raise TopologyError(
                f"{site}: the grouped streams have values of {value.name} and {other.name}; map_values them to one "
                "type before they are grouped"
            )
    for what, given, taken in (("key", key_given, key), ("value", value_given, value)):
        if given is not None and given_serde(given, key=what == "key").type != taken.type:
            raise TopologyError(
                f"{site}: {what}= is {given!r}, but the {what}s of the grouped records are {taken.name}"
            )
    name = f"{node.name}-late"
    if not builder.has_node(name):
        builder.add(LateRecords(name=name, parents=tuple(names), site=site))
    return replace(table, node=name, key=key, value=value, store=None, key_changed=False)
