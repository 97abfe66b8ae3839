"""Stores that a program declares for its processors (rule P9).

Each is logged to `<app>-<name>-changelog`, unless it is declared with `logged=False`: then it is kept in memory, and
what it holds is lost when its task is closed or moves.
"""

from __future__ import annotations

from typing import Any

from millstream.duration import Duration, parse_duration_ms
from millstream.errors import ConfigError, TopologyError
from millstream.plan.nodes import StoreName, StoreSpec
from millstream.plan.site import CallSite, call_site
from millstream.serde import Serde, serde_for


def in_memory(name: str) -> str:
    """The name of a store whose rows are kept in memory, whatever the application's `store` says.

    It can be given wherever a store is named: as `store=` of an operator, or to `ms.key_value_store` and its like.

    >>> key_value_store(in_memory("seen"), value=int).store_type
    'memory'
    """
    return StoreName(name, "memory")


def in_rocksdb(name: str) -> str:
    """The name of a store whose rows are kept on disk, in RocksDB, whatever the application's `store` says.

    >>> import millstream as ms
    >>> app = ms.App("views")
    >>> views = app.stream("views", value=str).group_by_key().count(store=ms.in_rocksdb("per-viewer"))
    >>> [(store.name, store.store_type) for store in app.topology().stores]
    [('per-viewer', 'rocksdb')]
    """
    return StoreName(name, "rocksdb")


def key_value_store(
    name: str, *, key: Any = str, value: Any = Any, timestamped: bool = False, logged: bool = True
) -> StoreSpec:
    """A value for each key: `KeyValueStore`. `key` and `value` are types or serdes.

    A `timestamped` store keeps the timestamp of each write beside the value, on disk too.

    >>> key_value_store("seen", value=int).value.name
    'int64'
    """
    keys, values = _serdes("key_value_store", key, value)
    return StoreSpec(name, "keyvalue", keys, values, timestamped=timestamped, logged=logged)


def window_store(
    name: str,
    size: Duration,
    *,
    retention: Duration,
    key: Any = str,
    value: Any = Any,
    timestamped: bool = False,
    logged: bool = True,
) -> StoreSpec:
    """A value for each key and window of time: `WindowStore`. Windows are as long as `size`, and start anywhere.

    Windows that start `retention` or more before the newest one are forgotten (rule W20).

    >>> window_store("clicks", "1m", retention="1h", value=int).retention_ms
    3600000
    """
    site = call_site("window_store")
    keys, values = _serdes("window_store", key, value)
    size_ms, retention_ms = _positive("window_store", "size", size), _positive("window_store", "retention", retention)
    if retention_ms < size_ms:
        raise TopologyError(
            f"{site}: a window is kept at least as long as it is: retention is {retention_ms} ms, the size {size_ms} ms"
        )
    return StoreSpec(
        name,
        "window",
        keys,
        values,
        timestamped=timestamped,
        window_ms=size_ms,
        retention_ms=retention_ms,
        by_key=True,
        logged=logged,
    )


def session_store(
    name: str, *, retention: Duration, key: Any = str, value: Any = Any, logged: bool = True
) -> StoreSpec:
    """A value for each key and session, which is any span of time: `SessionStore`.

    Sessions that end `retention` or more before the latest end are forgotten (rule W20).

    >>> session_store("visits", retention="1d", value=int).kind
    'session'
    """
    keys, values = _serdes("session_store", key, value)
    retention_ms = _positive("session_store", "retention", retention)
    return StoreSpec(name, "session", keys, values, timestamped=False, retention_ms=retention_ms, logged=logged)


def versioned_store(
    name: str, *, history: Duration, key: Any = str, value: Any = Any, logged: bool = True
) -> StoreSpec:
    """A value for each key, and what it was at any moment within the `history`: `VersionedStore` (rule K15).

    >>> versioned_store("prices", history="1d", value=float).history_ms
    86400000
    """
    keys, values = _serdes("versioned_store", key, value)
    known_ms = history_ms(history, call_site("versioned_store"))
    return StoreSpec(name, "versioned", keys, values, history_ms=known_ms, logged=logged)


def history_ms(history: Duration, site: CallSite) -> int:
    """How much a versioned store knows of the past."""
    try:
        time_ms = parse_duration_ms(history)
    except ConfigError as error:
        raise TopologyError(f"{site}: history: {error}") from error
    if time_ms < 0:
        raise TopologyError(f"{site}: history must not be negative, got {history!r}")
    return time_ms


def _serdes(operator: str, key: Any, value: Any) -> tuple[Serde[Any], Serde[Any]]:
    try:
        return serde_for(key, key=True), serde_for(value)
    except TypeError as error:
        raise TopologyError(f"{call_site(operator)}: it cannot be read and written: {error}") from error


def _positive(operator: str, what: str, given: Duration) -> int:
    try:
        time_ms = parse_duration_ms(given)
    except ConfigError as error:
        raise TopologyError(f"{call_site(operator)}: {what}: {error}") from error
    if time_ms <= 0:
        raise TopologyError(f"{call_site(operator)}: {what} must be more than 0, got {given!r}")
    return time_ms
