"""What tasks remember."""

from millstream.state.changes import Changes
from millstream.state.join_buffer import JoinBufferRows, Waiting
from millstream.state.join_rows import JoinRows
from millstream.state.keyvalue import KeyValueRows, KeyValueStore
from millstream.state.parked import ParkedRow, ParkedRows
from millstream.state.session import Session, SessionRows
from millstream.state.subscriptions import SubscriptionRows
from millstream.state.suppress import Held, SuppressRows
from millstream.state.versioned import VersionedRows
from millstream.state.window import WindowRows

__all__ = [
    "Changes",
    "Held",
    "JoinBufferRows",
    "JoinRows",
    "KeyValueRows",
    "KeyValueStore",
    "ParkedRow",
    "ParkedRows",
    "Session",
    "SessionRows",
    "SubscriptionRows",
    "SuppressRows",
    "VersionedRows",
    "Waiting",
    "WindowRows",
]
