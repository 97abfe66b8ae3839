"""Records that came too late for all their windows: on to the stream of late records, if there is one."""

from __future__ import annotations

from typing import Any

from millstream.engine.folds import Fold
from millstream.engine.parts import Downstream, NodeFunction


def late_records(downstream: Downstream, fold: Fold) -> NodeFunction:
    """What an aggregation calls with each of them, as it took it."""
    late = downstream.late
    if late is None:
        return _nowhere
    if not fold.timed:
        return late

    def without_time(key: Any, value: Any, timestamp: int) -> None:
        late(key, None if value is None else value[0], timestamp)

    return without_time


def _nowhere(_key: Any, _value: Any, _timestamp: int) -> None:
    pass
