"""Declared aggregates: what `aggregate(Result, name=...)` can compute, in one pass, without a function per record.

Each reads a field of the value, or what a function makes of the value. As in SQL, fields that are None are passed over,
and an aggregate of nothing is None, but for counts and sums, which are 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from millstream.errors import TopologyError
from millstream.plan.aggregation import Kind, QuantileSetting
from millstream.plan.site import call_site

Read: TypeAlias = str | Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class DeclaredAggregate:
    """An aggregate of a field, or of what a function makes of the value. Fields that are None are passed over."""

    kind: Kind
    field: Read | None
    setting: Any = None


# --- numbers of records and values


def count() -> DeclaredAggregate:
    """The number of records.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("shop")
    >>> orders = app.stream("orders").group_by("shop")
    >>> orders.aggregate(orders=ms.count()).to_stream().to("out")
    >>> drive(app, *[("orders", None, {"shop": "north", "amount": amount}) for amount in (10, 30)])["out"][-1]
    ('north', Aggregated(orders=2))
    """
    return DeclaredAggregate("count", None)


def count_distinct(field: Read) -> DeclaredAggregate:
    """The number of different values, exactly: all of them are kept, so it is meant for few.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("shop")
    >>> orders = app.stream("orders").group_by("shop")
    >>> orders.aggregate(items=ms.count_distinct("item")).to_stream().to("out")
    >>> drive(app, *[("orders", None, {"shop": "north", "item": each}) for each in ("tea", "pie", "tea")])["out"][-1]
    ('north', Aggregated(items=2))
    """
    return DeclaredAggregate("count_distinct", field)


def approx_count_distinct(field: Read, *, precision: int = 12) -> DeclaredAggregate:
    """About the number of different values, in bounded space: HyperLogLog.

    Up to 128 of them it is exact. Beyond, 2**precision bytes are kept, and the standard error is 1.04 divided by the
    root of that number: 1.6% for the 4 KiB of the default. `precision` is from 4 to 16.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("site")
    >>> views = app.stream("views").group_by("page").windowed_by(ms.tumbling("1h"))
    >>> views.aggregate(visitors=ms.approx_count_distinct("visitor")).to_stream().to("out")
    >>> drive(app, *[("views", None, {"page": "home", "visitor": each}) for each in ("ann", "bob", "ann")])["out"][-1]
    (home@0/3600000, Aggregated(visitors=2))
    """
    if not 4 <= precision <= 16:
        raise TopologyError(f"{call_site('approx_count_distinct')}: precision is from 4 to 16, got {precision}")
    return DeclaredAggregate("approx_count_distinct", field, precision)


# --- sums and moments


def sum(field: Read) -> DeclaredAggregate:  # noqa: A001 - the field's standard term, as ms.sum
    """The sum; 0 where there is nothing to add. Whole numbers of any size and decimals stay exact.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("shop")
    >>> orders = app.stream("orders").group_by("shop")
    >>> orders.aggregate(turnover=ms.sum("amount")).to_stream().to("out")
    >>> drive(app, *[("orders", None, {"shop": "north", "amount": amount}) for amount in (10, 30)])["out"][-1]
    ('north', Aggregated(turnover=40))
    """
    return DeclaredAggregate("sum", field)


def mean(field: Read) -> DeclaredAggregate:
    """The arithmetic mean: the sum divided by the number of values; None where there is none.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("shop")
    >>> orders = app.stream("orders").group_by("shop")
    >>> orders.aggregate(usual=ms.mean("amount"), orders=ms.count()).to_stream().to("out")
    >>> drive(app, *[("orders", None, {"shop": "north", "amount": amount}) for amount in (10, 30)])["out"][-1]
    ('north', Aggregated(usual=20.0, orders=2))
    """
    return DeclaredAggregate("mean", field)


def variance(field: Read) -> DeclaredAggregate:
    """The sample variance, kept so that large values lose no digits; None of fewer than two values.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("qos")
    >>> reports = app.stream("reports").group_by("location")
    >>> reports.aggregate(jitter=ms.variance("latency")).to_stream().to("out")
    >>> drive(app, *[("reports", None, {"location": "Oslo", "latency": each}) for each in (10, 14)])["out"][-1]
    ('Oslo', Aggregated(jitter=8.0))
    """
    return DeclaredAggregate("variance", field)


def std(field: Read) -> DeclaredAggregate:
    """The standard deviation: the square root of the sample variance.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("qos")
    >>> reports = app.stream("reports").group_by("location")
    >>> reports.aggregate(usual=ms.mean("bitrate"), spread=ms.std("bitrate")).to_stream().to("out")
    >>> drive(app, *[("reports", None, {"location": "Oslo", "bitrate": each}) for each in (1, 2, 3)])["out"][-1]
    ('Oslo', Aggregated(usual=2.0, spread=1.0))
    """
    return DeclaredAggregate("std", field)


# --- one of the values


def min(field: Read) -> DeclaredAggregate:  # noqa: A001
    """The smallest value; None where there is none.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("shop")
    >>> offers = app.stream("offers").group_by("item")
    >>> offers.aggregate(cheapest=ms.min("price")).to_stream().to("out")
    >>> drive(app, *[("offers", None, {"item": "tea", "price": each}) for each in (4, 3, 5)])["out"][-1]
    ('tea', Aggregated(cheapest=3))
    """
    return DeclaredAggregate("min", field)


def max(field: Read) -> DeclaredAggregate:  # noqa: A001
    """The largest value; None where there is none.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("auction")
    >>> bids = app.stream("bids").group_by("item")
    >>> bids.aggregate(highest=ms.max("amount"), bids=ms.count()).to_stream().to("out")
    >>> drive(app, *[("bids", None, {"item": "chair", "amount": each}) for each in (4, 6, 5)])["out"][-1]
    ('chair', Aggregated(highest=6, bids=3))
    """
    return DeclaredAggregate("max", field)


def first(field: Read) -> DeclaredAggregate:
    """The value of the record that was processed first, whatever its timestamp.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("site")
    >>> clicks = app.stream("clicks").group_by_key().windowed_by(ms.session("30m"))
    >>> clicks.aggregate(entry=ms.first("page"), exit=ms.last("page")).to_stream().to("out")
    >>> drive(app, *[("clicks", "ann", {"page": each}) for each in ("home", "item", "cart")])["out"][-1]
    (ann@0/0, Aggregated(entry='home', exit='cart'))
    """
    return DeclaredAggregate("first", field)


def last(field: Read) -> DeclaredAggregate:
    """The value of the record that was processed last, whatever its timestamp.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("shop")
    >>> orders = app.stream("orders").group_by_key()
    >>> orders.aggregate(state=ms.last("state"), changes=ms.count()).to_stream().to("out")
    >>> drive(app, *[("orders", "order-1", {"state": each}) for each in ("paid", "sent")])["out"][-1]
    ('order-1', Aggregated(state='sent', changes=2))
    """
    return DeclaredAggregate("last", field)


def earliest(field: Read) -> DeclaredAggregate:
    """The value of the record with the smallest timestamp; of several with that one, the first processed.

    Unlike `first` it doesn't depend on the order in which records come.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("market")
    >>> trades = app.stream("trades").group_by_key().windowed_by(ms.tumbling("1m", grace="10s"))
    >>> trades.aggregate(opened=ms.earliest("price"), closed=ms.latest("price")).to_stream().to("out")
    >>> drive(app, ("trades", "ABC", {"price": 7}, 3_000), ("trades", "ABC", {"price": 5}, 1_000))["out"][-1]
    (ABC@0/60000, Aggregated(opened=5, closed=7))
    """
    return DeclaredAggregate("earliest", field)


def latest(field: Read) -> DeclaredAggregate:
    """The value of the record with the largest timestamp; of several with that one, the last processed.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("fleet")
    >>> positions = app.stream("positions").group_by_key()
    >>> positions.aggregate(place=ms.latest("place")).to_stream().to("out")
    >>> drive(app, ("positions", "bus", {"place": "B"}, 9), ("positions", "bus", {"place": "A"}, 4))["out"][-1]
    ('bus', Aggregated(place='B'))
    """
    return DeclaredAggregate("latest", field)


# --- collections


def collect_list(field: Read) -> DeclaredAggregate:
    """All values, in the order of processing. The aggregate grows with each: meant for small groups.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("shop")
    >>> items = app.stream("items").group_by("order")
    >>> items.aggregate(items=ms.collect_list("item")).to_stream().to("out")
    >>> drive(app, *[("items", None, {"order": "1", "item": each}) for each in ("tea", "pie", "tea")])["out"][-1]
    ('1', Aggregated(items=['tea', 'pie', 'tea']))
    """
    return DeclaredAggregate("collect_list", field)


def collect_set(field: Read) -> DeclaredAggregate:
    """Each different value once, as a list in the order in which they first came: meant for few values.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("site")
    >>> views = app.stream("views").group_by("visitor")
    >>> views.aggregate(countries=ms.collect_set("country")).to_stream().to("out")
    >>> drive(app, *[("views", None, {"visitor": "ann", "country": each}) for each in ("NO", "IT", "NO")])["out"][-1]
    ('ann', Aggregated(countries=['NO', 'IT']))
    """
    return DeclaredAggregate("collect_set", field)


def top(field: Read, size: int) -> DeclaredAggregate:
    """The `size` largest values, the largest first.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("games")
    >>> scores = app.stream("scores").group_by("game")
    >>> scores.aggregate(best=ms.top("points", 2)).to_stream().to("out")
    >>> drive(app, *[("scores", None, {"game": "go", "points": each}) for each in (4, 9, 7)])["out"][-1]
    ('go', Aggregated(best=[9, 7]))
    """
    if size < 1:
        raise TopologyError(f"{call_site('top')}: give the number of values to keep, 1 or more, got {size}")
    return DeclaredAggregate("top", field, size)


# --- distributions


def histogram(field: Read, bounds: Sequence[float]) -> DeclaredAggregate:
    """How many values lie below the first of the ascending `bounds`, from each bound to the next, and from the last on.

    A value that equals a bound is counted above it. The result is a list with one number more than there are bounds.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("web")
    >>> calls = app.stream("calls").group_by("path")
    >>> calls.aggregate(latencies=ms.histogram("ms", [10, 100])).to_stream().to("out")
    >>> drive(app, *[("calls", None, {"path": "/", "ms": each}) for each in (3, 10, 50, 400)])["out"][-1]
    ('/', Aggregated(latencies=[1, 2, 1]))
    """
    if not bounds or any(low >= high for low, high in pairwise(bounds)):
        raise TopologyError(f"{call_site('histogram')}: bounds must be ascending numbers, one or more, got {bounds!r}")
    return DeclaredAggregate("histogram", field, tuple(bounds))


def quantile(field: Read, q: float, *, accuracy: float = 0.01) -> DeclaredAggregate:
    """The value below which the fraction `q` of all values lies: 0.5 is the median, 0.95 the 95th percentile.

    Numbers are counted in buckets, so that the result is within the fraction `accuracy` of the true value, however many
    there are: 1% unless told otherwise. None where there is no number.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("web")
    >>> calls = app.stream("calls").group_by("path").windowed_by(ms.tumbling("1m"))
    >>> calls.aggregate(p95=ms.quantile("ms", 0.95)).to_stream().to("out")
    >>> result = drive(app, *[("calls", None, {"path": "/", "ms": each}) for each in range(1, 101)])["out"][-1][1]
    >>> round(result.p95)
    95
    """
    return DeclaredAggregate("quantile", field, _quantiles((q,), accuracy, "quantile"))


def quantiles(field: Read, q: Sequence[float], *, accuracy: float = 0.01) -> DeclaredAggregate:
    """Several quantiles of one field as a list, in the order in which they are given; see `quantile`.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("web")
    >>> calls = app.stream("calls").group_by("path").windowed_by(ms.tumbling("1m"))
    >>> calls.aggregate(latencies=ms.quantiles("ms", [0.5, 0.95])).to_stream().to("out")
    >>> result = drive(app, *[("calls", None, {"path": "/", "ms": each}) for each in range(1, 101)])["out"][-1][1]
    >>> [round(each) for each in result.latencies]
    [50, 95]
    """
    return DeclaredAggregate("quantiles", field, _quantiles(tuple(q), accuracy, "quantiles"))


def _quantiles(q: tuple[float, ...], accuracy: float, operator: str) -> QuantileSetting:
    site = call_site(operator)
    if not q or not all(0 <= each <= 1 for each in q):
        raise TopologyError(f"{site}: quantiles are from 0 to 1, such as 0.95, got {', '.join(map(str, q)) or 'none'}")
    if not 0 < accuracy < 1:
        raise TopologyError(f"{site}: accuracy is a fraction such as 0.01, got {accuracy}")
    return QuantileSetting(q, accuracy)
