"""What tasks remember."""

from millstream.state.changes import Changes
from millstream.state.keyvalue import KeyValueRows, KeyValueStore
from millstream.state.window import WindowRows

__all__ = ["Changes", "KeyValueRows", "KeyValueStore", "WindowRows"]
