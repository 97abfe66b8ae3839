"""Timestamps: extractors, partition time, records without a time (T1-T3)."""

from __future__ import annotations

import pytest

from millstream.errors import ProcessingError
from tests.driving import Driven, every


def test_the_extractor_sees_the_partition_time() -> None:  # T1
    def time(_key: str, value: str, _recorded: int, partition_time: int) -> int:
        return partition_time if value == "p" else int(value)

    app = every()
    app.stream("in", value=str, time=time).to("out")
    said = Driven(app).says(*(f"in k {v} 0" for v in ("5", "-1", "p", "3", "p", "9", "p")))
    assert said == ["k=5@5", "k=p@5", "k=3@3", "k=p@5", "k=9@9", "k=p@9"]


def test_extractors_take_the_value_or_key_and_value() -> None:
    app = every()
    app.stream("in", value=str, time=lambda v: int(v)).to("out")
    app.stream("other", value=str, time=lambda k, v: int(k) + int(v)).to("out")
    assert Driven(app).says("in k 5 1", "other 2 5 1") == ["k=5@5", "2=5@7"]


def test_a_negative_time_drops_the_record_and_moves_nothing() -> None:  # T3
    app = every()
    app.stream("in", value=str, time=lambda v: int(v)).to("out")
    run = Driven(app)
    assert run.says("in k -1 5", "in k 3 5") == ["k=3@3"]
    assert run.driver.metrics.dropped == 1


@pytest.mark.parametrize("given", ["x", "1.5"])
def test_an_extractor_that_fails_stops_with_the_place_and_the_line(given: str) -> None:
    app = every()
    app.stream("in", value=str, time=lambda v: float(v)).to("out")  # type: ignore[arg-type, return-value]
    run = Driven(app)
    with pytest.raises(ProcessingError, match=r"in-0 offset 0: time= of stream at .*test_time.py:\d+ failed"):
        run.pipe(f"in k {given} 5")
