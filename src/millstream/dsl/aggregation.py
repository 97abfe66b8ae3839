"""Aggregations of a grouped stream: the store, the repartition topic where one is needed, the node (rules N8, W5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from millstream.dsl.aggregates import DeclaredAggregate
from millstream.dsl.builder import Builder
from millstream.dsl.fields import (
    declared_fields,
    no_number,
    reads_by_item,
    require_fields,
    required_fields,
    unknown_field,
)
from millstream.dsl.grouping import GroupName
from millstream.dsl.handle import Handle, given_serde, value_serde
from millstream.dsl.stores import history_ms
from millstream.dsl.windowed import Windowing
from millstream.duration import Duration
from millstream.errors import TopologyError
from millstream.plan.aggregation import Aggregation, Column, Declared, Folded
from millstream.plan.function import UNKNOWN, UserFunction, declared_result, user_function
from millstream.plan.nodes import Aggregate, Emit, StoreSpec
from millstream.plan.site import CallSite
from millstream.plan.windows import SessionWindows, SlidingWindows
from millstream.serde import Serde

BALANCED_KINDS = frozenset(
    {
        "count",
        "sum",
        "mean",
        "variance",
        "std",
        "collect_list",
        "count_distinct",
        "histogram",
        "quantile",
        "quantiles",
    }
)
OF_NUMBERS = frozenset({"sum", "mean", "variance", "std", "histogram", "quantile", "quantiles"})
# what to use instead of the others
ONE_WAY = {
    "min": "use ms.quantile(field, 0), which is near it",
    "max": "use ms.quantile(field, 1), which is near it",
    "approx_count_distinct": "use ms.count_distinct",
}


@dataclass(frozen=True, slots=True)
class Materialized:
    """How a table is kept and named, as given by the user. `history`: in a versioned store that knows as much."""

    store: str | None
    name: str | None
    emit: Emit | None
    history: Duration | None = None

    def spec(self, store: str, key: Serde[Any], value: Serde[Any], site: CallSite) -> StoreSpec:
        """The store's declaration, under this name."""
        if self.history is None:
            return StoreSpec(store, "keyvalue", key, value)
        return StoreSpec(store, "versioned", key, value, history_ms=history_ms(self.history, site))

    def emission(self, builder: Builder, site: CallSite) -> Emit:
        """A versioned store has no cache (rule K15)."""
        return builder.emission(self.emit, site) if self.history is None else "every"


@dataclass(frozen=True, slots=True)
class Kept:
    """An aggregation, the serde of what its store holds, and the serde of its results."""

    aggregation: Aggregation
    stored: Serde[Any]
    results: Serde[Any]


def aggregated(
    handle: Handle, group: GroupName, windowing: Windowing | None, kept: Kept, how: Materialized, site: CallSite
) -> Handle:
    """The table of aggregates: repartitions first where the key was changed (rule O4)."""
    builder = handle.builder
    kind = site.operator.upper() if site.operator == "reduce" else "AGGREGATE"
    sliding = windowing is not None and isinstance(windowing.windows, SlidingWindows)
    if site.operator == "count" and how.store is None and not sliding:
        builder.name(f"KSTREAM-{kind}-STATE-STORE")  # Kafka Streams burns one more for an unnamed count
    generated = None if how.store else builder.name(f"KSTREAM-{kind}-STATE-STORE")
    store = how.store or generated or ""
    node = builder.name(f"KSTREAM-{kind}", how.name)
    if handle.key_changed:
        handle = handle.repartitioned(group.given or how.store, site, generated=store, again=group.used)
        group.used = group.given is not None
    keys: Serde[Any] = handle.key
    refuse_unfit(windowing, kept, how, site)
    if windowing is None:
        builder.add_store(how.spec(store, handle.key, kept.stored, site), site)
    else:
        builder.add_store(windowing.store(store, handle.key, kept.stored), site)
        keys = windowing.keys(handle.key)
        builder.taken[node] = (handle.key, handle.value)
    on_close = windowing is not None and windowing.on_close
    added = Aggregate(
        name=node,
        parents=(handle.node,),
        site=site,
        store=store,
        aggregation=kept.aggregation,
        windows=None if windowing is None else windowing.windows,
        emit="every" if on_close else how.emission(builder, site),
        on_close=on_close,
        idle_after_ms=None if windowing is None else windowing.idle_after_ms,
    )
    return handle.after(added, key=keys, value=kept.results, store=store)


def refuse_unfit(windowing: Windowing | None, kept: Kept, how: Materialized, site: CallSite) -> None:
    """What an aggregation in these windows, or in none, does not take, or lacks."""
    if windowing is not None and how.history is not None:
        raise TopologyError(f"{site}: history= is for tables without windows; give retention= to windowed_by")
    sessions = windowing is not None and isinstance(windowing.windows, SessionWindows)
    folded_here = isinstance(kept.aggregation, Folded)
    merger = kept.aggregation.merger if isinstance(kept.aggregation, Folded) else None
    if sessions and folded_here and merger is None:
        raise TopologyError(f"{site}: sessions merge; give merger=, a function of (key, aggregate, next aggregate)")
    if merger is not None and not sessions:
        raise TopologyError(
            f"{site}: merger= is for sessions; nothing else merges. Leave it out, or call windowed_by(ms.session(...))"
        )


def declared(
    handle: Handle, result: Any, columns: Mapping[str, DeclaredAggregate], site: CallSite, *, balanced: bool = False
) -> Kept:
    """Aggregates declared by name; their accumulators are kept as a JSON array. `balanced` ones can take values out."""
    wrong = [name for name, column in columns.items() if not isinstance(column, DeclaredAggregate)]
    if wrong:
        raise TopologyError(f"{site}: {wrong[0]}= is not an aggregate; give ms.count(), ms.mean(field) and the like")
    if not columns:
        raise TopologyError(f"{site}: nothing to aggregate; give initializer= and aggregator=, or name=ms.count() ...")
    if result is None:
        result = msgspec.defstruct("Aggregated", [(name, Any) for name in columns], frozen=True)
    known = declared_fields(result)
    if known is None:
        raise TopologyError(f"{site}: the result must be a record type (ms.Record or a dataclass), got {result!r}")
    for name in columns:
        if name not in known:
            raise unknown_field(result, name, known, site)
    missing = [name for name in required_fields(result) if name not in columns]
    if missing:
        raise TopologyError(
            f"{site}: {result.__name__} needs {', '.join(missing)}; give {missing[0]}=ms.count() or such"
        )
    if balanced:
        _refuse_one_way(columns, site)
    of = handle.value.type
    made = tuple(_column(name, column, site) for name, column in columns.items())
    reads = [_read_type(of, column, site) for column in made]
    for column, read in zip(made, reads, strict=True):
        _refuse_what_is_no_number(column, read, site)
    stored = given_serde(_accumulators(made, reads, balanced=balanced))
    return Kept(Declared(result, made, reads_by_item(of)), stored, given_serde(result))


def refuse_mixture(given: Mapping[str, Any], result: Any, columns: Mapping[str, Any], site: CallSite) -> None:
    """Functions that aggregate don't go together with declared aggregates."""
    functions = [name for name, function in given.items() if function is not None]
    declarations = [*([] if result is None else [f"the result {result!r}"]), *(f"{name}=" for name in columns)]
    if functions and declarations:
        raise TopologyError(
            f"{site}: {functions[0]}= and {declarations[0]} don't go together; aggregate twice, or do it all in the "
            "functions"
        )


def _refuse_one_way(columns: Mapping[str, DeclaredAggregate], site: CallSite) -> None:
    for name, column in columns.items():
        if column.kind not in BALANCED_KINDS:
            raise TopologyError(
                f"{site}: {name}=ms.{column.kind}(...) cannot take a value out again, as a grouped table needs when a "
                f"row changes; {ONE_WAY.get(column.kind, 'use ms.collect_list')}, or give initializer, adder and "
                "subtractor"
            )


def folded(
    initializer: Callable[[], Any] | None,
    aggregator: Callable[..., Any] | None,
    value: Any,
    site: CallSite,
    merger: Callable[..., Any] | None = None,
) -> Kept:
    """An initializer and an aggregator of the user's, and a merger, of (key, aggregate, next) or without the key."""
    if initializer is None or aggregator is None:
        raise TopologyError(f"{site}: initializer= and aggregator= go together")
    user_function(initializer, site, values=0, key=False)
    fn = user_function(aggregator, site, values=2)
    call = fn.call
    by_key = call if fn.with_key else lambda _key, value, aggregate: call(value, aggregate)
    serde = value_serde(value, aggregator)
    if merger is None:
        return Kept(Folded(initializer, by_key), serde, serde)
    merging = user_function(merger, site, values=2)
    merge = merging.call if merging.with_key else lambda _key, first, then: merging.call(first, then)
    return Kept(Folded(initializer, by_key, merge), serde, serde)


def _column(name: str, column: DeclaredAggregate, site: CallSite) -> Column:
    field = user_function(column.field, site, key=False) if callable(column.field) else column.field
    return Column(name, column.kind, field, column.setting)


def _read_type(of: Any, column: Column, site: CallSite) -> Any:
    """What an aggregate reads of values of a type: that of its field, or what its function says that it makes."""
    if isinstance(column.field, UserFunction):
        return declared_result(column.field.call)
    return Any if column.field is None else require_fields(of, (column.field,), site)[column.field]


def _refuse_what_is_no_number(column: Column, read: Any, site: CallSite) -> None:
    if column.kind not in OF_NUMBERS or read is UNKNOWN or (wrong := no_number(read)) is None:
        return
    what = f"the field {column.field!r} may be" if isinstance(column.field, str) else "what its function makes may be"
    raise TopologyError(
        f"{site}: {column.name}=ms.{column.kind}(...) is of numbers, and {what} of type {wrong}; declare it as a "
        "number, or give a function that makes one of it"
    )


def _accumulators(columns: Sequence[Column], reads: Sequence[Any], *, balanced: bool) -> Any:
    """The type of what is kept, so that a restored aggregate is what was kept: dates are dates, not strings."""
    kept: list[Any] = []
    for column, read in zip(columns, reads, strict=True):
        value: Any = Any if read in (UNKNOWN, Any, int, float) else read | None
        match column.kind:
            case "count":
                kept.append(int)
            case "sum":
                kept.append(value | int if value is not Any else Any)
            case "mean":
                kept += [value | int if value is not Any else Any, int]
            case "variance" | "std":
                kept += [int, float, float]
            case "earliest" | "latest":
                kept += [value, int]
            case "collect_list" | "collect_set" | "top":
                kept.append(list.__class_getitem__(value))
            case "count_distinct":
                kept.append(dict[str, int] if balanced else frozenset.__class_getitem__(value))
            case "approx_count_distinct":
                kept.append(tuple[int, ...] | bytes)
            case "histogram":
                kept.append(list[int])
            case "quantile" | "quantiles":
                kept.append(tuple[int, dict[int, int], dict[int, int]])
            case _:
                kept.append(value)
    return tuple.__class_getitem__(tuple(kept))
