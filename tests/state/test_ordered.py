"""Ordered times against a sorted list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millstream.state import ordered
from millstream.state.ordered import OrderedTimes


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=200), st.integers(2, 8))
def test_as_a_sorted_list(changes: list[tuple[bool, int]], full: int) -> None:
    times, known = OrderedTimes(), set[int]()
    was, ordered.FULL = ordered.FULL, full
    try:
        for add, time in changes:
            if add and time not in known:
                times.add(time)
                known.add(time)
            elif not add and time in known:
                times.remove(time)
                known.discard(time)
            assert times.first() == min(known, default=None)
            assert times.last() == max(known, default=None)
            assert times.after(time) == min((other for other in known if other > time), default=None)
            assert times.before(time) == max((other for other in known if other < time), default=None)
    finally:
        ordered.FULL = was
