"""Joins of two streams: the window, the stores, the nodes and their names (rules J1-J12, N9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from millstream.dsl.handle import Handle, same_serde, value_serde
from millstream.dsl.windowed import idle_ms
from millstream.duration import Duration, parse_duration_ms
from millstream.errors import ConfigError, TopologyError
from millstream.plan.function import UserFunction, user_function
from millstream.plan.nodes import Merge, StoreSpec, derived_store
from millstream.plan.site import CallSite, call_site
from millstream.plan.stream_joins import JoinRow, JoinWindow, StreamJoin, outer_sides
from millstream.plan.tables import JoinKind
from millstream.serde import SideValuesSerde


def join_window(
    difference: Duration | None = None,
    *,
    before: Duration | None = None,
    after: Duration | None = None,
    grace: Duration = 0,
    idle_after: Duration | None = None,
) -> JoinWindow:
    """Records of two streams meet when their times lie no further apart than `difference`.

    With `before` and `after` the other stream's record lies within `[time - before, time + after]` of this one's; a
    number of ms may be negative, so that the window begins after the record, or ends before it. In left and outer joins
    a record without a partner goes on alone when its window and `grace` are over: by the time of later records, or,
    when none have come for `idle_after`, by the wall clock (the application's `idle` and `idle_after` otherwise).

    >>> join_window("5s").before_ms
    5000
    >>> join_window(before=0, after="1m", grace="10s").after_ms
    60000
    """
    site = call_site("join_window")
    if (difference is None) == (before is None and after is None):
        raise TopologyError(f"{site}: give either the largest difference in time, or before= and after=")
    if difference is not None:
        before = after = difference
    window = JoinWindow(_ms(before or 0, site), _ms(after or 0, site), _ms(grace, site), idle_ms(idle_after, site))
    if window.before_ms + window.after_ms < 0:
        raise TopologyError(f"{site}: the window ends before it begins; before + after must be 0 or more")
    if window.grace_ms < 0:
        raise TopologyError(f"{site}: grace must not be negative, got {window.grace_ms} ms")
    return window


@dataclass(frozen=True, slots=True)
class StreamJoining:
    """A join of two streams as the user gave it."""

    kind: JoinKind
    window: JoinWindow | None
    joiner: Callable[..., Any]
    result: Any
    store: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class _Names:
    """Names of nodes and stores; those on the left come first (rule N9)."""

    rows: tuple[str, str]
    joins: tuple[str, str]
    stores: tuple[str, str]
    parked: str | None
    merge: str


def streams_joined(left: Handle, right: Handle, how: StreamJoining) -> Handle:
    site = call_site("join" if how.kind == "inner" else f"{how.kind}_join")
    fn = user_function(how.joiner, site, values=2)
    window = _window(how, site)
    _refuse_unlike(left, right, site)
    left, right = _meeting_places(left, right, how, site)
    names = _names(left, how)
    builder = left.builder
    for place, store in zip((left, right), names.stores, strict=True):
        spec = StoreSpec(store, "join-window", place.key, place.value, retention_ms=window.retention_ms)
        builder.add_store(spec, site)
    if names.parked is not None:
        values = SideValuesSerde(left.value, right.value)
        builder.add_store(StoreSpec(names.parked, "join-parked", left.key, values, timestamped=False), site)
    for place, name, store in zip((left, right), names.rows, names.stores, strict=True):
        builder.add(JoinRow(name=name, parents=(place.node,), site=site, store=store))
    for right_side in (False, True):
        builder.add(_side(names, (how.kind, window), fn, site, right=right_side))
    merged = Merge(name=names.merge, parents=names.joins, site=site)
    return replace(left, node=builder.add(merged), key_changed=False, value=value_serde(how.result, how.joiner))


def _side(
    names: _Names, how: tuple[JoinKind, JoinWindow], fn: UserFunction, site: CallSite, *, right: bool
) -> StreamJoin:
    kind, window = how
    this, other = (1, 0) if right else (0, 1)
    return StreamJoin(
        name=names.joins[this],
        parents=(names.rows[this],),
        site=site,
        right=right,
        outer=outer_sides(kind)[this],
        window=window,
        other=names.rows[other],
        looked_up=names.stores[other],
        parked=names.parked,
        joiner=fn,
    )


def _meeting_places(left: Handle, right: Handle, how: StreamJoining, site: CallSite) -> tuple[Handle, Handle]:
    """Where the sides' records lie by their keys."""

    def place(side: Handle, which: str) -> Handle:
        if not side.key_changed:
            return side
        given = None if how.name is None else f"{how.name}-{which}"
        return side.repartitioned_for_join(given, site)

    return place(left, "left"), place(right, "right")


def _names(place: Handle, how: StreamJoining) -> _Names:
    name = place.builder.name
    given = how.name
    left_outer, right_outer = outer_sides(how.kind)
    this, other = "outer-this" if right_outer else "this", "outer-other" if left_outer else "other"
    rows = tuple(name("KSTREAM-WINDOWED", given and f"{given}-{side}-windowed") for side in ("this", "other"))
    made = (
        name("KSTREAM-OUTERTHIS" if right_outer else "KSTREAM-JOINTHIS"),
        name("KSTREAM-OUTEROTHER" if left_outer else "KSTREAM-JOINOTHER"),
    )
    joins = (f"{given}-{this}-join", f"{given}-{other}-join") if given else made
    stores, parked = tuple(f"{join}-store" for join in made), f"KSTREAM-OUTERSHARED-{made[0][-10:]}-store"
    if how.store is not None:
        stores = tuple(derived_store(how.store, f"-{side}-join-store") for side in (this, other))
        parked = derived_store(how.store, f"-{'outer' if right_outer else 'left'}-shared-join-store")
    merge = name("KSTREAM-MERGE", given and f"{given}-merge")
    return _Names((rows[0], rows[1]), joins, (stores[0], stores[1]), parked if left_outer else None, merge)


def _window(how: StreamJoining, site: CallSite) -> JoinWindow:
    if not isinstance(how.window, JoinWindow):
        raise TopologyError(f"{site}: streams are joined in a window; give window=ms.join_window('5s') or such")
    return how.window


def _refuse_unlike(left: Handle, right: Handle, site: CallSite) -> None:
    if left.builder is not right.builder:
        raise TopologyError(f"{site}: the streams belong to different apps")
    if not same_serde(left.key, right.key):
        raise TopologyError(
            f"{site}: the left stream's keys are {left.key.name} and the right one's {right.key.name}; "
            "use select_key, or declare the same key type on both sides"
        )


def _ms(given: Duration, site: CallSite) -> int:
    try:
        return parse_duration_ms(given)
    except ConfigError as error:
        raise TopologyError(f"{site}: {error}") from error
