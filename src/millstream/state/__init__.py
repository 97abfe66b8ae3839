"""What tasks remember."""

from millstream.state.changes import Changes
from millstream.state.join_buffer import JoinBufferRows, Waiting
from millstream.state.keyvalue import KeyValueRows, KeyValueStore
from millstream.state.versioned import VersionedRows
from millstream.state.window import WindowRows

__all__ = ["Changes", "JoinBufferRows", "KeyValueRows", "KeyValueStore", "VersionedRows", "Waiting", "WindowRows"]
