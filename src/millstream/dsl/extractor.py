"""What gives a record its timestamp: the functions that `time=` takes (rule T2)."""

from __future__ import annotations

from collections.abc import Callable

from millstream.errors import TopologyError
from millstream.plan.function import positional_parameters
from millstream.plan.nodes import Extractor
from millstream.plan.site import CallSite


def extractor_of(time: Callable[..., int] | None, site: CallSite) -> Extractor | None:
    """Rule T2: a function of the value, of (key, value), or of (key, value, recorded timestamp, partition time)."""
    if time is None:
        return None
    match positional_parameters(time):
        case None | (0 | 1, _):
            return lambda _key, value, _recorded, _partition_time: time(value)
        case (2, _):
            return lambda key, value, _recorded, _partition_time: time(key, value)
        case (4, _):
            return time
        case (count, _):
            raise TopologyError(
                f"{site}: time= takes (value), (key, value) or (key, value, recorded, partition_time), "
                f"not {count} arguments"
            )
