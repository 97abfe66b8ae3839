"""Sketches: how far they may be from the truth, and that merging them is as good as counting together."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.engine import quantiles
from millstream.engine.distinct import FEW, Sketch, estimated, noted, united
from millstream.engine.quantiles import (
    EMPTY_SKETCH,
    QuantileSketch,
    quantiles_of,
    sketched,
    sketches_added,
    unsketched,
)
from millstream.plan.aggregation import QuantileSetting

QS = (0.0, 0.25, 0.5, 0.9, 1.0)
SETTING = QuantileSetting(QS, 0.01)
NUMBERS = st.floats(-1e9, 1e9, allow_subnormal=False) | st.integers(-100, 100)


def sketch_of(values: list[float], setting: QuantileSetting = SETTING) -> QuantileSketch:
    sketch = EMPTY_SKETCH
    for value in values:
        sketch = sketched(sketch, value, setting)
    return sketch


@given(st.lists(NUMBERS, min_size=1, max_size=60), st.sampled_from((0.001, 0.01, 0.1)))
def test_quantiles_are_as_near_as_promised(values: list[float], accuracy: float) -> None:
    setting = QuantileSetting(QS, accuracy)
    ordered = sorted(values)
    for q, found in zip(QS, quantiles_of(sketch_of(values, setting), setting), strict=True):
        true = ordered[int(q * (len(values) - 1))]
        assert found is not None
        assert abs(found - true) <= abs(true) * accuracy * (1 + 1e-6)


@given(st.lists(NUMBERS, max_size=40), st.lists(NUMBERS, max_size=40))
def test_merged_quantile_sketches_are_those_of_all_values(first: list[float], then: list[float]) -> None:
    assert sketches_added(sketch_of(first), sketch_of(then)) == sketch_of(first + then)


@given(st.lists(NUMBERS, max_size=40), st.lists(NUMBERS, max_size=40))
def test_values_taken_out_of_a_sketch_leave_no_trace(kept: list[float], gone: list[float]) -> None:  # K12
    sketch = sketch_of(kept + gone)
    for value in gone:
        sketch = unsketched(sketch, value, SETTING)
    assert sketch == sketch_of(kept)


def test_of_nothing_there_is_no_quantile_and_nan_is_nothing() -> None:
    assert quantiles_of(sketch_of([float("nan")]), SETTING) == [None] * len(QS)


def test_too_many_buckets_collapse_at_the_small_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantiles, "MOST_BUCKETS", 50)
    values = [1.1**power for power in range(200)]
    zeros, above, below = sketch = sketch_of(values)
    assert (zeros, len(above), len(below)) == (0, 50, 0)
    assert sum(above.values()) == 200
    top = quantiles_of(sketch, QuantileSetting((1.0, 0.9), 0.01))
    assert top == [pytest.approx(values[-1], rel=0.01), pytest.approx(values[179], rel=0.01)]
    half = sketches_added(sketch_of(values[:100]), sketch_of(values[100:]))
    assert sum(half[1].values()) == 200
    for value in values:
        sketch = unsketched(sketch, value, SETTING)
    assert sketch == EMPTY_SKETCH


def distinct_of(values: list[object], precision: int) -> Sketch:
    sketch: Sketch = ()
    for value in values:
        sketch = noted(sketch, value, precision)
    return sketch


@given(st.lists(st.integers(0, 300), max_size=FEW))
def test_few_different_values_are_counted_exactly(values: list[int]) -> None:
    assert estimated(distinct_of([*values, *values], 12), 12) == len(set(values))


@pytest.mark.parametrize("count", [200, 1_000, 5_000, 30_000])
@pytest.mark.parametrize("precision", [10, 12])
def test_many_are_counted_within_four_standard_errors(count: int, precision: int) -> None:
    found = estimated(distinct_of([f"user-{number}" for number in range(count)], precision), precision)
    assert found == pytest.approx(count, rel=4 * 1.04 / 2 ** (precision / 2))


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 2**32))
def test_merged_sketches_are_those_of_all_values(first: int, then: int, seed: int) -> None:
    draw = random.Random(seed)
    one = [draw.randrange(500) for _ in range(first)]
    other = [draw.randrange(500) for _ in range(then)]
    merged = united(distinct_of([*one], 8), distinct_of([*other], 8), 8)
    assert merged == distinct_of([*one, *other], 8)
    assert merged == united(distinct_of([*other], 8), distinct_of([*one], 8), 8)


def test_values_that_are_equal_only_in_python_are_different() -> None:
    assert estimated(distinct_of([1, "1", 1.5, None, ("a", 1)], 12), 12) == 5
