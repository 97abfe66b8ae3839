"""What tasks remember."""

from millstream.state.access import Access, Timestamped
from millstream.state.cache import CacheBudget, RowCache
from millstream.state.changes import Changes
from millstream.state.disk import Disk, DiskBatch, Records, TaskBatch, TaskDisk
from millstream.state.join_buffer import JoinBufferRows, Waiting
from millstream.state.join_rows import JoinRows
from millstream.state.join_rows_disk import StoredJoinRows
from millstream.state.keyvalue import KeyValueRows
from millstream.state.keyvalue_store import KeyValueStore
from millstream.state.parked import ParkedRow, ParkedRows
from millstream.state.session import Session, SessionRows
from millstream.state.session_disk import StoredSessionRows
from millstream.state.session_store import SessionStore
from millstream.state.subscriptions import SubscriptionRows
from millstream.state.suppress import Held, SuppressRows
from millstream.state.versioned import VersionedRows
from millstream.state.versioned_store import Version, VersionedStore
from millstream.state.window import WindowRows
from millstream.state.window_by_key import KeyWindowRows
from millstream.state.window_disk import StoredWindowRows
from millstream.state.window_store import WindowStore

__all__ = [
    "Access",
    "CacheBudget",
    "Changes",
    "Disk",
    "DiskBatch",
    "Held",
    "JoinBufferRows",
    "JoinRows",
    "KeyValueRows",
    "KeyValueStore",
    "KeyWindowRows",
    "ParkedRow",
    "ParkedRows",
    "Records",
    "RowCache",
    "Session",
    "SessionRows",
    "SessionStore",
    "StoredJoinRows",
    "StoredSessionRows",
    "StoredWindowRows",
    "SubscriptionRows",
    "SuppressRows",
    "TaskBatch",
    "TaskDisk",
    "Timestamped",
    "Version",
    "VersionedRows",
    "VersionedStore",
    "Waiting",
    "WindowRows",
    "WindowStore",
]
