"""Values by time, few and many, against a sorted list."""

from __future__ import annotations

from operator import itemgetter
from random import Random

import pytest

from millstream.state import timed_values
from millstream.state.timed_values import ManyValues, TimedValues, added, between, forget


@pytest.mark.parametrize("seed", range(20))
def test_as_a_sorted_list(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed_values, "FULL", 4)
    random = Random(seed)
    values, known = list[TimedValues]([[], ManyValues([])]), list[tuple[int, int]]()
    for number in range(300):
        time = random.choice((number, random.randrange(number + 1)))
        known.append((time, number))
        known.sort(key=itemgetter(0))  # stable: those of one time by arrival
        values = [added(each, (time, number)) for each in values]
        if random.random() < 0.1:
            until = random.randrange(-1, number + 1) // 2
            gone = [item for item in known if item[0] <= until]
            known = known[len(gone) :]
            assert [forget(each, until) for each in values] == [len(gone)] * 2
            if not known:
                assert not any(values)
                values = [[], ManyValues([])]  # as a key without rows is dropped, and begins anew
        first = random.randrange(number + 1)
        last = random.randrange(number + 1)
        wanted = [item for item in known if first <= item[0] <= last]
        for each in values:
            assert between(each, first, last) == wanted
            assert len(each) == len(known)
