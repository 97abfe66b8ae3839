"""Suppression: until when a table's updates are held back, and in how large a buffer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from millstream.dsl.builder import Builder
from millstream.dsl.handle import Handle
from millstream.dsl.rows import history_of, send_old
from millstream.dsl.windowed import idle_ms
from millstream.duration import Duration, parse_duration_ms
from millstream.errors import ConfigError, TopologyError
from millstream.plan.late import LateRecords
from millstream.plan.nodes import Aggregate, StoreSpec
from millstream.plan.site import CallSite, call_site
from millstream.plan.suppress import Bounds, Suppress
from millstream.plan.windows import closes_after_ms
from millstream.serde import SessionWindowedSerde, TimeWindowedSerde

WhenFull: TypeAlias = Literal["emit_early", "shut_down"]


@dataclass(frozen=True, slots=True)
class Suppression:
    """How long updates are held back; without `wait_ms` until their window has closed."""

    wait_ms: int | None
    bounds: Bounds


def until_window_closes(*, max_records: int | None = None, max_bytes: int | None = None) -> Suppression:
    """Hold each window back until it has closed, and pass on its last update alone (rule E13).

    The buffer has no bound unless one is given; when it is full, the application stops, for the result could not be
    kept otherwise.

    >>> until_window_closes(max_records=1000).bounds.shut_down
    True
    """
    site = call_site("until_window_closes")
    return Suppression(None, _bounds(max_records, max_bytes, "shut_down", site))


def until_time_limit(
    limit: Duration,
    *,
    max_records: int | None = None,
    max_bytes: int | None = None,
    when_full: WhenFull = "emit_early",
) -> Suppression:
    """Pass on at most one update of a key in each `limit` of event time, the last (rule E12).

    A full buffer passes on what is next, before its time, or stops the application with `when_full="shut_down"`.

    >>> until_time_limit("10s", max_records=1000).wait_ms
    10000
    """
    site = call_site("until_time_limit")
    try:
        wait_ms = parse_duration_ms(limit)
    except ConfigError as error:
        raise TopologyError(f"{site}: {error}") from error
    if wait_ms < 0:
        raise TopologyError(f"{site}: the limit must not be negative, got {wait_ms} ms")
    return Suppression(wait_ms, _bounds(max_records, max_bytes, when_full, site))


def _bounds(max_records: int | None, max_bytes: int | None, when_full: str, site: CallSite) -> Bounds:
    if when_full not in ("emit_early", "shut_down"):
        raise TopologyError(f'{site}: when_full is "emit_early" or "shut_down", got {when_full!r}')
    for name, given in (("max_records", max_records), ("max_bytes", max_bytes)):
        if given is not None and given < 0:
            raise TopologyError(f"{site}: {name} must not be negative, got {given}")
    return Bounds(max_records, max_bytes, when_full == "shut_down")


def suppressed(table: Handle, suppression: Suppression, name: str | None, idle_after: Duration | None) -> Handle:
    """Rule N14."""
    site = call_site("suppress")
    if not isinstance(suppression, Suppression):
        raise TopologyError(f"{site}: give ms.until_window_closes() or ms.until_time_limit('10s'), got {suppression!r}")
    if history_of(table) is not None:
        raise TopologyError(f"{site}: a versioned table cannot be suppressed; take to_stream() or a plain store")
    builder = table.builder
    wait_ms, idle_after_ms = suppression.wait_ms, idle_ms(idle_after, site)
    if wait_ms is None:
        windowed = _windowed_above(builder, table.node)
        if not windowed or not isinstance(table.key, TimeWindowedSerde | SessionWindowedSerde):
            raise TopologyError(f"{site}: until_window_closes() is for tables that come from a windowed aggregation")
        wait_ms = max(wait for wait, _ in windowed)
        if idle_after_ms is None:
            idle_after_ms = max((idle for _, idle in windowed if idle is not None), default=None)
    node = name or builder.name("KTABLE-SUPPRESS")  # here a given name burns no index
    buffer = f"{name}-store" if name else builder.name("KTABLE-SUPPRESS-STATE-STORE")
    send_old(table, needed=True)
    builder.add_store(StoreSpec(buffer, "suppress", table.key, table.value), site)
    added = Suppress(
        name=node,
        parents=(table.node,),
        site=site,
        buffer=buffer,
        wait_ms=wait_ms,
        window_close=suppression.wait_ms is None,
        bounds=suppression.bounds,
        idle_after_ms=idle_after_ms,
    )
    return table.after(added, store=None)


def _windowed_above(builder: Builder, name: str) -> list[tuple[int, int | None]]:
    """Of the nearest windowed aggregations that a table comes from, through internal topics too: how long after their
    end windows close (rule E13), and after which idleness. None where it comes from something else as well.
    """
    found: list[tuple[int, int | None]] = []
    waiting, seen = [name], set[str]()
    while waiting:
        node = builder.node(waiting.pop())
        if node.name in seen:
            continue
        seen.add(node.name)
        if isinstance(node, Aggregate) and node.windows is not None:
            found.append((closes_after_ms(node.windows), node.idle_after_ms))
            continue
        above = [*node.parents, *(sink.name for sink in builder.writers(node))]
        if not above or isinstance(node, LateRecords):
            return []
        waiting += above
    return found
