"""Quantiles by sketch: numbers are counted in buckets whose bounds grow by a constant factor (DDSketch).

A quantile is then known to within a fraction of itself, however many numbers there are, and sketches of equal accuracy
can be added up, or have numbers taken out, without any loss (C. Masson et al., "DDSketch", 2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from math import ceil, log
from typing import Any, TypeAlias

from millstream.plan.aggregation import QuantileSetting

MOST_BUCKETS = 2048  # of one sign; beyond these the numbers nearest to 0 are counted as one


# how many zeros there are, and how many numbers in each bucket above 0 and, by their size, below
QuantileSketch: TypeAlias = tuple[int, Mapping[int, int], Mapping[int, int]]

EMPTY_SKETCH: QuantileSketch = (0, {}, {})


def sketched(sketch: QuantileSketch, value: Any, setting: QuantileSetting) -> QuantileSketch:
    """The sketch with one number more; what is not a number (NaN) is passed over.

    >>> half = QuantileSetting((0.5,), 0.01)
    >>> quantiles_of(sketched(sketched(EMPTY_SKETCH, 0, half), -3, half), half)
    [-2.97...]
    """
    zeros, above, below = sketch
    if value > 0:
        return zeros, _counted(above, _bucket(value, setting)), below
    if value < 0:
        return zeros, above, _counted(below, _bucket(-value, setting))
    return (zeros + 1, above, below) if value == 0 else sketch


def unsketched(sketch: QuantileSketch, value: Any, setting: QuantileSetting) -> QuantileSketch:
    """The sketch without a number that was put in."""
    zeros, above, below = sketch
    if value > 0:
        return zeros, _uncounted(above, _bucket(value, setting)), below
    if value < 0:
        return zeros, above, _uncounted(below, _bucket(-value, setting))
    return (zeros - 1, above, below) if value == 0 else sketch


def sketches_added(sketch: QuantileSketch, other: QuantileSketch) -> QuantileSketch:
    zeros, above, below = sketch
    return zeros + other[0], _added(above, other[1]), _added(below, other[2])


def quantiles_of(sketch: QuantileSketch, setting: QuantileSetting) -> list[float | None]:
    """The quantiles asked for; None where nothing was counted."""
    total = sketch[0] + sum(sketch[1].values()) + sum(sketch[2].values())
    if not total:
        return [None] * len(setting.quantiles)
    found: dict[float, float] = {}
    ranks = sorted((quantile * (total - 1), quantile) for quantile in setting.quantiles)
    seen, at = 0, 0
    for middle, count in _ascending(sketch, setting):
        seen += count
        while at < len(ranks) and ranks[at][0] < seen:
            found[ranks[at][1]] = middle
            at += 1
    return [found[quantile] for quantile in setting.quantiles]


def _ascending(sketch: QuantileSketch, setting: QuantileSetting) -> Iterator[tuple[float, int]]:
    """Numbers that stand for their buckets, and how many lie there."""
    zeros, above, below = sketch
    growth = _growth(setting.accuracy)
    scale = 2 / (1 + growth)
    for bucket in sorted(below, reverse=True):
        yield -scale * growth**bucket, below[bucket]
    if zeros:
        yield 0.0, zeros
    for bucket in sorted(above):
        yield scale * growth**bucket, above[bucket]


def _growth(accuracy: float) -> float:
    return (1 + accuracy) / (1 - accuracy)


@cache
def _buckets_per_log(accuracy: float) -> float:
    return 1 / log(_growth(accuracy))


def _bucket(size: Any, setting: QuantileSetting) -> int:
    return ceil(log(size) * _buckets_per_log(setting.accuracy))


def _counted(counts: Mapping[int, int], bucket: int) -> Mapping[int, int]:
    more = {**counts, bucket: counts.get(bucket, 0) + 1}
    return more if len(more) <= MOST_BUCKETS else _collapsed(more)


def _uncounted(counts: Mapping[int, int], bucket: int) -> Mapping[int, int]:
    if not counts:
        return counts
    if bucket not in counts:  # its bucket was made one with others
        bucket = min(counts)
    left = {**counts, bucket: counts[bucket] - 1}
    if not left[bucket]:
        del left[bucket]
    return left


def _added(counts: Mapping[int, int], other: Mapping[int, int]) -> Mapping[int, int]:
    added = {**counts}
    for bucket, count in other.items():
        added[bucket] = added.get(bucket, 0) + count
    return added if len(added) <= MOST_BUCKETS else _collapsed(added)


def _collapsed(counts: dict[int, int]) -> dict[int, int]:
    buckets = sorted(counts)
    lowest = buckets[len(buckets) - MOST_BUCKETS]
    kept = {bucket: counts[bucket] for bucket in buckets[len(buckets) - MOST_BUCKETS :]}
    kept[lowest] += sum(counts[bucket] for bucket in buckets[: len(buckets) - MOST_BUCKETS])
    return kept
