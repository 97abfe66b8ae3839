"""Questions to a store from outside of its task, and how each kind of store answers (rules Q1, Q6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec

from millstream.engine.facades import facade
from millstream.errors import QueryError
from millstream.model import TopicPartition
from millstream.plan.nodes import StoreKind, StoreSpec
from millstream.serde import Serde, Windowed
from millstream.state import Access, KeyValueStore, SessionStore, VersionedStore, WindowStore
from millstream.state.disk import after_prefix

MOST_ROWS = 1_000
MOST_WINDOWS = 100_000

OF_ONE_KEY = frozenset({"get", "fetch", "history"})


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a store. Keys are as they are in JSON; `first` and `last` are keys, or moments in ms.

    `after` is where the page before ended; `bound` are the offsets that the store must have come to (rule Q5).
    """

    store: str
    kind: str
    key: Any = None
    first: Any = None
    last: Any = None
    reverse: bool = False
    after: bytes | None = None
    limit: int = MOST_ROWS
    task: str | None = None
    bound: Mapping[TopicPartition, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as they were at one moment, as JSON; `more` is where the next page begins, None at the end."""

    rows: bytes
    more: bytes | None = None


def read(spec: StoreSpec, rows: Any, access: Access, query: Query) -> Page:
    """Answer from a store's rows; QueryError for what its kind doesn't know.

    What is not committed yet is seen too (rule Q6). The rows are written as JSON at once, because values are live.
    """
    kinds = READERS.get(spec.kind, {})
    if query.kind not in kinds:
        known = ", ".join(kinds) or "no questions"
        raise QueryError(
            f"store {query.store!r} is of the kind {spec.kind}: it does not know {query.kind!r}, but {known}",
            "unknown_query",
        )
    if query.kind in ("range", "prefix", "all"):
        return _scan(rows, access, query)
    found = kinds[query.kind](facade(spec, rows, access), rows.key, query)
    told = list(islice(found, MOST_WINDOWS + 1))
    if len(told) > MOST_WINDOWS:
        raise QueryError(f"more than {MOST_WINDOWS:,} windows are asked for: narrow the time", "unknown_query")
    return Page(_as_json(told))


def as_key(serde: Serde[Any], given: Any, store: str) -> Any:
    """A key of the store's type, from what it is in JSON."""
    try:
        return msgspec.convert(given, serde.type, strict=False)
    except msgspec.ValidationError as error:
        raise QueryError(f"store {store!r}: {given!r} is not a key of it: {error}", "unknown_query") from error
    except TypeError:  # a type that msgspec doesn't know
        return given


def _scan(rows: Any, access: Access, query: Query) -> Page:
    """A page of a key-value store, by the bytes of keys: the next one begins behind the last key."""
    low, end = _span(rows.key, query)
    if query.after is not None:
        low, end = (low, query.after) if query.reverse else (query.after + b"\0", end)
    limit = max(1, min(query.limit, MOST_ROWS))
    found = list(islice(rows.scan(low, end, reverse=query.reverse), limit + 1))
    told = [{"key": key, "value": access.shown(row[0]), "timestamp": row[1]} for _, key, row in found[:limit]]
    return Page(_as_json(told), found[limit - 1][0] if len(found) > limit else None)


def _span(serde: Serde[Any], query: Query) -> tuple[bytes, bytes | None]:
    if query.kind == "prefix":
        begin = serde.encode(as_key(serde, query.key, query.store))
        return begin, after_prefix(begin)
    low = b"" if query.first is None else serde.encode(as_key(serde, query.first, query.store))
    return low, None if query.last is None else serde.encode(as_key(serde, query.last, query.store)) + b"\0"


# --- one key, windows


def _get(store: KeyValueStore[Any, Any], serde: Serde[Any], query: Query) -> Iterator[Any]:
    found = store.get_with_timestamp(as_key(serde, query.key, query.store))
    if found is not None:
        yield {"key": query.key, "value": found.value, "timestamp": found.timestamp}


def _get_version(store: VersionedStore[Any, Any], serde: Serde[Any], query: Query) -> Iterator[Any]:
    found = store.get(as_key(serde, query.key, query.store), as_of=query.last)
    if found is not None:
        yield {"key": query.key, "value": found.value, "timestamp": found.timestamp}


def _history(store: VersionedStore[Any, Any], serde: Serde[Any], query: Query) -> Iterator[Any]:
    key = as_key(serde, query.key, query.store)
    for each in store.history(key, query.first, query.last, reverse=query.reverse):
        yield {"key": query.key, **each._asdict()}


def _windows(store: WindowStore[Any, Any], serde: Serde[Any], query: Query) -> Iterator[Any]:
    key = as_key(serde, query.key, query.store)
    for start, value in store.fetch(key, query.first, query.last, reverse=query.reverse):
        yield {"key": query.key, "start": start, "value": value}


def _all_windows(store: WindowStore[Any, Any], _: Serde[Any], query: Query) -> Iterator[Any]:
    return _windowed(store.fetch_all(query.first, query.last, reverse=query.reverse))


def _sessions(store: SessionStore[Any, Any], serde: Serde[Any], query: Query) -> Iterator[Any]:
    key = as_key(serde, query.key, query.store)
    first, last = query.first or 0, 2**63 - 1 if query.last is None else query.last
    return _windowed(store.find_sessions(key, first, last, reverse=query.reverse))


def _all_sessions(store: SessionStore[Any, Any], _: Serde[Any], query: Query) -> Iterator[Any]:
    first, last = query.first or 0, 2**63 - 1 if query.last is None else query.last
    found = store.all(reverse=query.reverse)
    return _windowed((key, value) for key, value in found if key.window.end >= first and key.window.start <= last)


def _windowed(found: Iterable[tuple[Windowed[Any], Any]]) -> Iterator[Any]:
    for key, value in found:
        yield {"key": key.key, "start": key.window.start, "end": key.window.end, "value": value}


def _by_scan(*_: Any) -> Iterator[Any]:
    raise AssertionError("read in pages")


Reader = Callable[[Any, Serde[Any], Query], Iterator[Any]]
_SCANS: Mapping[str, Reader] = dict.fromkeys(("range", "prefix", "all"), _by_scan)

READERS: Mapping[StoreKind, Mapping[str, Reader]] = {
    "keyvalue": {"get": _get, **_SCANS},
    "versioned": {"get": _get_version, "history": _history, **_SCANS},
    "window": {"fetch": _windows, "fetch_all": _all_windows},
    "session": {"fetch": _sessions, "fetch_all": _all_sessions},
}


def _as_json(rows: list[Any]) -> bytes:
    return msgspec.json.encode(rows, enc_hook=str)
