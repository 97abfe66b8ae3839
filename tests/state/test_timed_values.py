"""Values by time, few and many, against a sorted list."""

from __future__ import annotations

from operator import itemgetter
from random import Random

import pytest

from millstream.state import timed_values
from millstream.state.timed_values import FewValues, ManyValues


@pytest.mark.parametrize("seed", range(20))
def test_as_a_sorted_list(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed_values, "FULL", 4)
    random = Random(seed)
    few, known = FewValues(), list[tuple[int, int]]()
    many = ManyValues(FewValues())
    for number in range(300):
        time = random.choice((number, random.randrange(number + 1)))
        known.append((time, number))
        known.sort(key=itemgetter(0))  # stable: those of one time by arrival
        for values in (few, many):
            values.add(time, number)
        if random.random() < 0.1:
            until = random.randrange(-1, number + 1) // 2
            known = [item for item in known if item[0] > until]
            for values in (few, many):
                values.forget(until)
            if not known:
                assert not few
                assert not many
                many = ManyValues(FewValues())  # as a key without rows is dropped, and begins anew
        first = random.randrange(number + 1)
        last = random.randrange(number + 1)
        wanted = [item for item in known if first <= item[0] <= last]
        assert few.between(first, last) == wanted
        assert many.between(first, last) == wanted
        assert len(few) == len(many) == len(known)
