"""From a store's declaration to the store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias, runtime_checkable

from millstream.plan.nodes import StoreKind, StoreSpec, StoreType
from millstream.serde import bound, lasting
from millstream.state import (
    Changes,
    Disk,
    DiskBatch,
    JoinBufferRows,
    JoinRows,
    KeyValueRows,
    KeyWindowRows,
    ParkedRows,
    Records,
    SessionRows,
    StoredJoinRows,
    StoredSessionRows,
    StoredWindowRows,
    SubscriptionRows,
    SuppressRows,
    VersionedRows,
    WindowRows,
)

Rows: TypeAlias = (
    KeyValueRows
    | WindowRows
    | SessionRows
    | SuppressRows
    | VersionedRows
    | JoinBufferRows
    | JoinRows
    | ParkedRows
    | SubscriptionRows
)


# Kinds that can be on disk. Buffers are in memory alone, as Kafka Streams has that of suppress; their changelogs keep
# what waits in them.
ON_DISK: frozenset[StoreKind] = frozenset(
    {
        "join-parked",
        "join-window",
        "keyvalue",
        "session",
        "subscriptions",
        "versioned",
        "window",
    }
)


# Kinds that let go of old rows as records are processed. While they are only restored they keep them.
FORGET_BY_WORK: frozenset[StoreKind] = frozenset({"session", "versioned", "window"})


@runtime_checkable
class DiskRows(Protocol):
    """What a task asks of rows that live on disk, beside what it asks of all."""

    name: str

    def take_changes(self) -> Changes:
        """What the changelog does not have yet."""

    def write(self, records: Records, into: DiskBatch) -> None:
        """The form on disk of changelog records: of those that `take_changes` gave, or read to restore.

        A note that it writes replaces what stood there, so that is read when the rows are made.
        """

    def written(self) -> None:
        """What `take_changes` gave is on disk: its rows may be evicted."""

    def opened(self) -> None:
        """The disk is complete: read from it what has to be known at once. Called before any row is asked for."""

    @property
    def cached_bytes(self) -> int:
        """About what its live rows take in memory."""

    @property
    def dirty_bytes(self) -> int:
        """About what those of them take that are not on disk yet."""

    def evict(self) -> None:
        """Forget clean rows that were not used lately; called twice, all clean ones. No node holds a row now."""


def counts_cheaply(rows: Rows) -> bool:
    """Whether `len` of these rows costs nothing that grows with them."""
    if isinstance(rows, (KeyValueRows, WindowRows, SuppressRows, SubscriptionRows, JoinBufferRows)):
        return True
    return isinstance(rows, (SessionRows, VersionedRows, JoinRows)) and getattr(rows, "disk", None) is not None


def stores_on_disk(stores: Iterable[StoreSpec], default: StoreType) -> list[str]:
    """The names of those that want a disk. A store without a changelog is lost with its task, files or not."""
    able = [spec for spec in stores if spec.kind in ON_DISK and spec.logged]
    return [spec.name for spec in able if (spec.store_type or default) == "rocksdb"]


def outgrow_changelogs(stores: Iterable[StoreSpec]) -> bool:
    """Whether some of them, kept up to date from their changelogs alone, would have ever more than these."""
    return any(spec.kind in FORGET_BY_WORK for spec in stores)


def open_store(spec: StoreSpec, topic: str, disk: Disk | None = None) -> Rows:
    """A store whose contents are written to a topic, its changelog, or read from one: empty, or what its disk has."""
    key, value = bound(spec.key, topic, is_key=True), lasting(bound(spec.value, topic, is_key=False))
    match spec.kind:
        case "window":
            retention_ms = spec.retention_ms + spec.shows_ms
            if disk is None:
                return WindowRows(spec.name, (key, value), spec.window_ms, retention_ms, by_key=spec.by_key)
            stored = KeyWindowRows if spec.by_key else StoredWindowRows
            return stored(spec.name, (key, value), spec.window_ms, retention_ms, disk=disk)
        case "session":
            retention_ms = spec.retention_ms + spec.shows_ms
            if disk is None:
                return SessionRows(spec.name, (key, value), retention_ms)
            return StoredSessionRows(spec.name, (key, value), retention_ms, disk=disk)
        case "suppress":
            return SuppressRows(spec.name, (key, value))
        case "versioned":
            return VersionedRows(spec.name, (key, value), spec.history_ms, disk)
        case "join-buffer":
            return JoinBufferRows(spec.name, (key, value))
        case "join-window":
            if disk is None:
                return JoinRows(spec.name, (key, value), spec.retention_ms)
            return StoredJoinRows(spec.name, (key, value), spec.retention_ms, disk=disk)
        case "join-parked":
            return ParkedRows(spec.name, key, value, disk)
        case "subscriptions":
            return SubscriptionRows(spec.name, disk)
        case "keyvalue":
            return KeyValueRows(spec.name, key, value, disk)
