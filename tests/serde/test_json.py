"""JSON of every kind of type: round trips, canonical keys, what is refused; NaN."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import math
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import millstream as ms
from millstream.errors import DeserializationError, SerializationError, TopologyError
from millstream.serde import ChangeSerde, JsonSerde, SideValuesSerde, exact, serde_for
from millstream.testing import TestDriver


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Everything(ms.Record):
    number: int
    ratio: float
    price: Decimal
    moment: dt.datetime
    day: dt.date
    time: dt.time
    span: dt.timedelta
    id: uuid.UUID
    raw: bytes
    colour: Colour
    tags: frozenset[str]
    maybe: int | None = None
    kind: Literal["a", "b"] = "a"


zones = st.none() | st.just(dt.UTC) | st.just(dt.timezone(dt.timedelta(hours=5, minutes=30)))
# a zone shifts what is near the ends of time out of it
moments = st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1), timezones=zones)
decimals = st.decimals(allow_nan=False, allow_infinity=False)
everything = st.builds(
    Everything,
    number=st.integers(),
    ratio=st.floats(allow_nan=False, allow_infinity=False),
    price=decimals,
    moment=moments,
    day=st.dates(),
    time=st.times(),
    span=st.timedeltas(dt.timedelta(-1_000_000), dt.timedelta(1_000_000)),
    id=st.uuids(),
    raw=st.binary(),
    colour=st.sampled_from(Colour),
    tags=st.frozensets(st.text()),
    maybe=st.none() | st.integers(),
    kind=st.sampled_from(["a", "b"]),
)


@given(everything)
def test_every_kind_of_value_survives(value: Everything) -> None:
    serde = JsonSerde(Everything)
    assert serde.decode(serde.encode(value)) == value
    assert msgspec.json.decode(serde.encode(value)) is not None, "it is JSON"


@given(everything)
def test_every_kind_of_value_survives_as_a_key(value: Everything) -> None:
    serde = JsonSerde(Everything, key=True)
    assert serde.decode(serde.encode(value)) == value


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    when: dt.date


@attrs.frozen
class Place:
    town: str
    zone: int = 0


class Pair(NamedTuple):
    left: Decimal
    right: str


class Row(TypedDict):
    id: int
    price: Decimal


DAY = dt.date(2026, 2, 3)


@pytest.mark.parametrize(
    ("of", "value"),
    [
        (Point, Point(1, DAY)),
        (Place, Place("x")),
        (Pair, Pair(Decimal("1.50"), "x")),
        (Row, {"id": 1, "price": Decimal("2.50")}),
        (int | str, "x"),
        (Point | None, Point(1, DAY)),
        (list[Point], [Point(1, DAY)]),
        (dict[dt.date, set[int]], {DAY: {1, 2}}),
        (dict[int, str], {1: "x"}),
        (tuple[int, ...], (1, 2)),
        (Annotated[int, msgspec.Meta(gt=0)], 5),
        (dt.datetime, dt.datetime(2026, 1, 2, 3, 4, 5, 6)),
        (dt.time, dt.time(1, 2, 3, 4)),
        (Decimal, Decimal("1E+5")),
        (Colour, Colour.RED),
        (int, 2**200),
    ],
)
@pytest.mark.parametrize("key", [False, True])
def test_types(of: Any, value: Any, key: bool) -> None:
    serde = JsonSerde(of, key=key)
    assert serde.decode(serde.encode(value)) == value
    assert type(serde.decode(serde.encode(value))) is type(value)


class Key(ms.Record):
    amount: float | Decimal
    at: dt.datetime | None = None


ONE_O_CLOCK = dt.datetime(2026, 1, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "equal",
    [
        [Key(1), Key(1.0)],
        [Key(0.0), Key(-0.0)],
        [Key(1e22), Key(10**22)],
        [Key(Decimal("2.50")), Key(Decimal("2.5")), Key(Decimal("25E-1"))],
        [Key(Decimal("-0.00")), Key(Decimal(0)), Key(Decimal("0E+999999999"))],
        [Key(Decimal("1E+999999")), Key(Decimal("10E+999998")), Key(Decimal("1.00E+999999"))],
        [Key(1, ONE_O_CLOCK), Key(1, ONE_O_CLOCK.astimezone(dt.timezone(dt.timedelta(hours=9))))],
        [{1: "a", 2: "b"}, {2: "b", 1: "a"}],
        [{"b": 1, "a": 2.0}, {"a": 2, "b": 1}],
        [frozenset("abcdef"), frozenset("fedcba")],
    ],
)
def test_equal_keys_have_equal_bytes(equal: list[Any]) -> None:
    of = Key if isinstance(equal[0], Key) else Any
    assert all(each == equal[0] for each in equal)
    assert len({JsonSerde(of, key=True).encode(each) for each in equal}) == 1


@given(decimals, decimals)
def test_keys_are_equal_if_and_only_if_their_bytes_are(first: Decimal, second: Decimal) -> None:
    encode = JsonSerde(Decimal, key=True).encode
    assert (encode(first) == encode(second)) is (first == second)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(), st.floats(allow_nan=False) | st.integers())
def test_numbers_are_equal_if_and_only_if_their_bytes_are(first: float, second: float) -> None:
    if not math.isfinite(second):
        return
    encode = JsonSerde(float | int, key=True).encode
    assert (encode(first) == encode(second)) is (first == second)


@pytest.mark.parametrize("number", [math.nan, math.inf, Decimal("NaN"), Decimal("-Infinity")])
def test_what_equals_nothing_is_no_key(number: Any) -> None:
    with pytest.raises(ValueError, match="is no key"):
        JsonSerde(Key, key=True).encode(Key(number))


class Ring(ms.Record):
    next: Ring | None


class Unknown:
    pass


class Unresolved(ms.Record):
    inner: Missing  # type: ignore[name-defined]  # noqa: F821


class Holder(ms.Record):
    inner: list[Unknown]


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (Unknown, r"JSON cannot be read into Unknown; use a ms.Record"),
        (Holder, r"JSON cannot be read into Unknown in Holder"),
        (complex, "JSON cannot be read into complex"),
        (dict[bytes, complex], "complex"),
        (JsonSerde, r"JsonSerde is a class of serdes, give one of them, such as JsonSerde\(\.\.\.\)"),
        (ms.AvroSerde, "AvroSerde is a class of serdes"),
        (Unresolved, "an annotation of Unresolved cannot be resolved: name 'Missing' is not defined"),
        (5, "Type '5' is not supported"),
    ],
)
def test_types_that_json_cannot_be_read_into_are_refused_with_the_line(of: Any, said: str) -> None:
    app = ms.App("x")
    with pytest.raises(TopologyError, match=rf"at tests.serde.test_json.py:\d+: .*{said}"):
        app.stream("in", value=of)
    with pytest.raises(TopologyError, match=rf"at tests.serde.test_json.py:\d+: .*{said}"):
        app.table("in", key=of)


class Reading(ms.Record):
    place: str
    degrees: float
    note: str | None = None


READINGS = [Reading("a", 1.5), Reading("a", math.nan), Reading("b", -math.inf), Reading("c", math.inf, "x")]


def test_json_writes_null_for_what_is_no_number() -> None:
    serde = JsonSerde(Reading)
    assert serde.encode(Reading("a", math.nan)) == b'{"place":"a","degrees":null,"note":null}'
    with pytest.raises(msgspec.ValidationError, match="Expected `float`, got `null`"):
        serde.decode(serde.encode(Reading("a", math.nan)))


@pytest.mark.parametrize("value", READINGS)
def test_what_the_program_alone_reads_keeps_every_number(value: Reading) -> None:
    for serde, whole in [
        (exact(JsonSerde(Reading)), value),
        (exact(ChangeSerde(JsonSerde(Reading))), (value, value)),
        (exact(SideValuesSerde(JsonSerde(Reading), JsonSerde(Reading))), (1, [value])),
        (exact(JsonSerde(Any)), {"x": [value.degrees, None]}),
        (exact(JsonSerde(list[Place])), [Place("x")]),
    ]:
        assert repr(serde.decode(serde.encode(whole))) == repr(whole)


@pytest.mark.parametrize("of", [Place, dict[str, list[Place]], Place | None, tuple[int, ...], Ring])
def test_only_what_has_floats_pays_for_it(of: Any) -> None:
    plain = JsonSerde(of)
    assert exact(plain) is plain


class Inner(ms.Record):
    ratio: float | None = None


class Nest(ms.Record):
    name: str | None
    inner: Inner | None
    many: list[Inner]
    by_name: dict[str, float]
    pair: tuple[str, float] | None
    anything: Any
    self: Nest | None = None


@dataclasses.dataclass
class Measured:
    ratio: float


floats = st.floats()
ratios = st.builds(Inner, ratio=st.none() | floats)
nests = st.builds(
    Nest,
    name=st.none() | st.just("null"),
    inner=st.none() | ratios,
    many=st.lists(ratios, max_size=2),
    by_name=st.dictionaries(st.text(max_size=2), floats, max_size=2),
    pair=st.none() | st.tuples(st.text(max_size=1), floats),
    anything=st.none() | floats | st.lists(floats, max_size=1),
)


@given(st.recursive(nests, lambda inner: st.builds(msgspec.structs.replace, nests, self=inner), max_leaves=3))
def test_numbers_of_every_place_survive(value: Nest) -> None:
    serde = exact(JsonSerde(Nest))
    assert repr(serde.decode(serde.encode(value))) == repr(value)


def test_numbers_of_dataclasses_and_unions_survive() -> None:
    for of, value in [
        (Measured, Measured(math.inf)),
        (int | float | str, math.nan),
        (list[int | float | str], ["1", 1, "nan", math.nan]),
        (tuple[dt.datetime, Decimal, bytes, float], (ONE_O_CLOCK, Decimal("1.0"), b"x", math.inf)),
        (dict[int, float], {1: math.nan}),
        (tuple[Colour, uuid.UUID, float], (Colour.RED, uuid.UUID(int=5), -math.inf)),
        (dict[str, Measured], {"x": Measured(math.nan)}),
    ]:
        serde = exact(JsonSerde(of))
        assert repr(serde.decode(serde.encode(value))) == repr(value)


def test_errors_are_the_usual_ones() -> None:
    with pytest.raises(msgspec.DecodeError, match="truncated"):
        exact(JsonSerde(Reading)).decode(b"{")
    with pytest.raises(msgspec.ValidationError, match="missing required field"):
        exact(JsonSerde(Reading)).decode(b"{}")


def test_state_and_internal_topics_keep_every_number() -> None:
    """NaN from a topic of doubles goes through a repartition topic and a store, and is restored."""
    app = ms.App("x", emit="every")
    readings = app.stream("in", value=ms.FLOAT64).map_values(lambda v: Reading("p", v), value=Reading)
    table = readings.group_by("place").aggregate(hottest=ms.max("degrees"), total=ms.sum("degrees"))
    table.to_stream().map_values(lambda t: repr(t.total), value=str).to("out")
    with TestDriver(app) as driver:
        for degrees in (1.5, math.inf, math.nan):
            driver.pipe("in", degrees, key="k")
        assert [row.value for row in driver.read("out")] == ["1.5", "inf", "nan"]
        changes = [value for batch in driver.changelog for value in batch.values]
        assert changes == [b"[1.5,1.5]", b"[Infinity, Infinity]", b"[Infinity, NaN]"]


def test_sums_may_grow_beyond_64_bits() -> None:
    app = ms.App("x", emit="every")
    app.stream("in", value=Row).group_by_key().aggregate(total=ms.sum("id")).to_stream().to("out")
    with TestDriver(app) as driver:
        driver.pipe("in", {"id": 2**63, "price": Decimal(1)}, key="k")
        driver.pipe("in", {"id": 2**63, "price": Decimal(1)}, key="k")
        assert [row[1] for row in driver.read_bytes("out")][-1] == b'{"total":18446744073709551616}'
        assert driver.changelog[-1].values == [b"[18446744073709551616]"]


def test_an_integer_alone_is_kafkas_long_and_refused_above_it() -> None:
    """With its place where it is written; in a store that nobody reads, with the store."""
    app = ms.App("x", emit="every")
    app.stream("in", value=int).group_by_key().reduce(lambda a, b: a + b, store="sums").to_stream().to("out")
    app.stream("silent", value=int).group_by_key().reduce(lambda a, b: a + b, store="silent-sums")
    fits = r"does not fit int64.*ms.JsonSerde\(int\) takes integers of any size"
    with TestDriver(app) as driver:
        driver.pipe("in", 2**62, key="k")
        with pytest.raises(SerializationError, match=f"offset 1: cannot encode a record for topic 'out': .*{fits}"):
            driver.pipe("in", 2**62, key="k")
    with TestDriver(app) as driver:
        driver.pipe("silent", 2**62, key="k")
        with pytest.raises(SerializationError, match=f"the store 'silent-sums' holds what cannot be written: .*{fits}"):
            driver.pipe("silent", 2**62, key="k")


def test_an_integer_may_be_given_room() -> None:
    app = ms.App("x", emit="every")
    numbers = app.stream("in", value=ms.JsonSerde(int))
    numbers.group_by_key().reduce(lambda a, b: a * b).to_stream().to("out")
    with TestDriver(app) as driver:
        for _ in range(4):
            driver.pipe("in", 2**62, key="k")
        assert driver.read("out")[-1].value == 2**248


def test_decimals_are_read_from_json_numbers_as_they_stand() -> None:
    assert JsonSerde(Decimal).decode(b"2.10") == Decimal("2.10")
    assert str(JsonSerde(Row).decode(b'{"id":1,"price":0.30}')["price"]) == "0.30"


@pytest.mark.parametrize("of", [Point, Place, Pair, Row])
def test_fields_of_every_kind_of_record_can_be_grouped_by(of: Any) -> None:
    fields = {Point: "x", Place: "zone", Pair: "right", Row: "id"}
    values = {Point: Point(7, DAY), Place: Place("x", 7), Pair: Pair(Decimal(1), "7"), Row: Row(id=7, price=Decimal(1))}
    app = ms.App("x", emit="every")
    app.stream("in", value=of).group_by(fields[of], key=serde_for(str) if of is Pair else int).count().to_stream().to(
        "out"
    )
    with TestDriver(app) as driver:
        driver.pipe("in", values[of], key="k")
        assert [(row.key, row.value) for row in driver.read("out")] == [("7" if of is Pair else 7, 1)]


def test_a_field_that_there_is_not_is_refused() -> None:
    with pytest.raises(TopologyError, match=r"Row has no field 'nope'; it has id, price"):
        ms.App("x").stream("in", value=Row).group_by("nope")


def test_what_cannot_be_read_stops_with_its_place() -> None:
    app = ms.App("x")
    app.stream("in", value=Row).to("out")
    with TestDriver(app) as driver, pytest.raises(DeserializationError, match=r"in-0 offset 0: .*Expected `int`"):
        driver.pipe_bytes("in", b'{"id":"x","price":"1"}')
