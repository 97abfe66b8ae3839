"""Groups of several streams that are aggregated together: one store, an aggregator for each (rules A5, N15)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from millstream.dsl.aggregation import Kept, Materialized, folded, refuse_unfit
from millstream.dsl.handle import Handle, same_serde
from millstream.dsl.windowed import Windowing
from millstream.errors import TopologyError
from millstream.plan.cogroup import CogroupMerge
from millstream.plan.nodes import Aggregate
from millstream.plan.site import CallSite
from millstream.serde import Serde


@dataclass(frozen=True, slots=True)
class Group:
    """A grouped stream, the name for its repartition topic if one was given, and its aggregator."""

    handle: Handle
    name: str | None
    aggregator: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Cogrouping:
    """How cogrouped streams are aggregated: what begins an aggregate, merges sessions, and the results' type."""

    groups: tuple[Group, ...]
    windowing: Windowing | None
    initializer: Callable[[], Any]
    merger: Callable[..., Any] | None
    value: Any


def cogrouped(of: Cogrouping, how: Materialized, site: CallSite) -> Handle:
    builder = of.groups[0].handle.builder
    _refuse_one_topic_for_two(of.groups, site)
    store = how.store or builder.name("COGROUPKSTREAM-AGGREGATE-STATE-STORE")
    places = [_placed(group, how.store, store, site) for group in of.groups]
    all_kept = _all_kept(of, site)
    keys = _add_store(of, (store, how), (places[0].key, all_kept[0]), site)
    emit = "every" if _on_close(of) else how.emission(builder, site)
    names = [
        builder.name("COGROUPKSTREAM-AGGREGATE", how.name and f"{how.name}-cogroup-agg-{number}")
        for number in range(len(places))
    ]
    for node, place, kept in zip(names, places, all_kept, strict=True):
        added = Aggregate(
            name=node,
            parents=(place.node,),
            site=site,
            store=store,
            aggregation=kept.aggregation,
            windows=None if of.windowing is None else of.windowing.windows,
            on_close=_on_close(of),
            idle_after_ms=None if of.windowing is None else of.windowing.idle_after_ms,
            sends_old=emit == "latest",
            cached=emit == "latest",
        )
        builder.add(added)
        builder.taken[node] = (place.key, place.value)
    merge = builder.name("COGROUPKSTREAM-MERGE", how.name and f"{how.name}-cogroup-merge")
    merged = CogroupMerge(name=merge, parents=tuple(names), site=site, emit=emit)
    return places[0].after(merged, key=keys, value=all_kept[0].results, store=store)


def check_group(first: Handle, other: Handle, site: CallSite) -> None:
    """Cogrouped streams have one key."""
    if first.builder is not other.builder:
        raise TopologyError(f"{site}: the streams belong to different apps")
    if not same_serde(first.key, other.key):
        raise TopologyError(
            f"{site}: the first group's keys are {first.key.name} and this one's {other.key.name}; group both by the "
            "same type"
        )


def _placed(group: Group, given: str | None, store: str, site: CallSite) -> Handle:
    """Rule O4: each input for itself."""
    if not group.handle.key_changed:
        return group.handle
    return group.handle.repartitioned(group.name or given, site, generated=store)


def _refuse_one_topic_for_two(groups: Sequence[Group], site: CallSite) -> None:
    """The store would name the repartition topic of each of them (rule N15); Kafka Streams refuses that too."""
    unnamed = {group.handle.node for group in groups if group.handle.key_changed and group.name is None}
    if len(unnamed) > 1:
        raise TopologyError(
            f"{site}: {len(unnamed)} of the cogrouped streams have new keys and need a repartition topic each; tell "
            'these apart by name, as in group_by(..., name="clicks")'
        )


def _all_kept(of: Cogrouping, site: CallSite) -> Sequence[Kept]:
    kept = [folded(of.initializer, group.aggregator, of.value, site, of.merger) for group in of.groups]
    for other in kept[1:]:
        if not same_serde(kept[0].stored, other.stored):
            raise TopologyError(
                f"{site}: the aggregators make {kept[0].stored.name} and {other.stored.name}; give value=, the type "
                "of what they all make"
            )
    return kept


def _add_store(
    of: Cogrouping, named: tuple[str, Materialized], kept: tuple[Serde[Any], Kept], site: CallSite
) -> Serde[Any]:
    """Declare the store; the serde of the table's keys."""
    (store, how), (key, first) = named, kept
    builder = of.groups[0].handle.builder
    refuse_unfit(of.windowing, first, how, site)
    if of.windowing is None:
        builder.add_store(how.spec(store, key, first.stored, site), site)
        return key
    builder.add_store(of.windowing.store(store, key, first.stored), site)
    return of.windowing.keys(key)


def _on_close(of: Cogrouping) -> bool:
    return of.windowing is not None and of.windowing.on_close
