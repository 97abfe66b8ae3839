"""Avro without a registry: schemas from types and given ones, every logical type, what does not fit."""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import datetime as dt
import enum
import io
import json
import math
import time
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import avro.io
import avro.schema
import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import millstream as ms
from millstream.errors import DeserializationError, SerializationError, TopologyError
from millstream.testing import TestDriver


class Colour(enum.Enum):
    RED = "RED"
    BLUE = "BLUE"


class Level(enum.IntEnum):
    LOW = 1


class Inner(ms.Record):
    tags: frozenset[str] = frozenset()


class Everything(ms.Record):
    number: int
    small: Annotated[int, ms.avro_type("int")]
    ratio: float
    price: Annotated[Decimal, ms.avro_decimal(20, 6)]
    moment: dt.datetime
    local: Annotated[dt.datetime, msgspec.Meta(tz=False)]
    millis: Annotated[dt.datetime, ms.avro_type({"type": "long", "logicalType": "timestamp-millis"})]
    day: dt.date
    time: dt.time
    brief: Annotated[dt.time, ms.avro_type({"type": "int", "logicalType": "time-millis"})]
    id: uuid.UUID
    raw: bytes
    colour: Colour
    level: Level
    inner: Inner
    others: dict[str, list[Inner]]
    kind: Literal["a", "b"] = "a"
    maybe: Decimal | None = None  # replaced below: Avro must know its digits
    on: bool = True


class Whole(Everything):
    maybe: Annotated[Decimal, ms.avro_decimal(5, 2)] | None = None


moments = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9998, 1, 1))
inners = st.builds(Inner, tags=st.frozensets(st.text(max_size=3), max_size=3))
everything = st.builds(
    Whole,
    number=st.integers(-(2**63), 2**63 - 1),
    small=st.integers(-(2**31), 2**31 - 1),
    ratio=st.floats(allow_nan=False),
    price=st.decimals(-(10**13), 10**13, places=6),
    moment=moments.map(lambda moment: moment.replace(tzinfo=dt.UTC)),
    local=moments,
    millis=moments.map(lambda m: m.replace(tzinfo=dt.UTC, microsecond=m.microsecond // 1000 * 1000)),
    day=st.dates(),
    time=st.times(),
    brief=st.times().map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)),
    id=st.uuids(),
    raw=st.binary(),
    colour=st.sampled_from(Colour),
    level=st.just(Level.LOW),
    inner=inners,
    others=st.dictionaries(st.text(max_size=3), st.lists(inners, max_size=2), max_size=2),
    kind=st.sampled_from(["a", "b"]),
    maybe=st.none() | st.decimals(-999, 999, places=2),
    on=st.booleans(),
)
SERDE = ms.AvroSerde(Whole, namespace="shop")


@given(everything)
def test_every_kind_of_value_survives(value: Whole) -> None:
    assert SERDE.decode(SERDE.encode(value)) == value


def test_the_schema_is_of_the_usual_types() -> None:
    fields = {field["name"]: field for field in ms.avro_schema(Whole, namespace="shop")["fields"]}
    assert fields["number"]["type"] == "long"
    assert fields["small"]["type"] == "int"
    assert fields["moment"]["type"] == {"type": "long", "logicalType": "timestamp-micros"}
    assert fields["local"]["type"] == {"type": "long", "logicalType": "local-timestamp-micros"}
    assert fields["id"]["type"] == {"type": "string", "logicalType": "uuid"}
    assert fields["colour"]["type"] == {
        "type": "enum",
        "name": "Colour",
        "namespace": "shop",
        "symbols": ["RED", "BLUE"],
    }
    assert fields["level"]["type"] == "long"
    assert fields["inner"]["type"]["fields"] == [
        {"name": "tags", "type": {"type": "array", "items": "string"}, "default": []}
    ]
    assert fields["others"]["type"] == {"type": "map", "values": {"type": "array", "items": "shop.Inner"}}
    assert fields["maybe"]["default"] is None
    assert fields["kind"] == {"name": "kind", "type": "string", "default": "a"}


class Common(ms.Record):
    number: int
    small: Annotated[int, ms.avro_type("int")]
    ratio: float
    text: str
    raw: bytes
    price: Annotated[Decimal, ms.avro_decimal(12, 3)]
    moment: dt.datetime
    day: dt.date
    time: dt.time
    id: uuid.UUID
    colour: Colour
    items: list[int]
    by_name: dict[str, float]
    maybe: str | None = None


common = st.builds(
    Common,
    number=st.integers(-(2**63), 2**63 - 1),
    small=st.integers(-(2**31), 2**31 - 1),
    ratio=st.floats(allow_nan=False),
    price=st.decimals(-(10**9) + 1, 10**9 - 1, places=3),
    moment=st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9998, 1, 1), timezones=st.just(dt.UTC)),
    colour=st.sampled_from(Colour),
    items=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    by_name=st.dictionaries(st.text(max_size=3), st.floats(allow_nan=False), max_size=3),
)


@given(common)
def test_apaches_own_library_reads_and_writes_the_same(value: Common) -> None:
    serde = ms.AvroSerde(Common)
    schema = avro.schema.parse(json.dumps(ms.avro_schema(Common)))
    record = avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(io.BytesIO(serde.encode(value))))
    assert record == {**msgspec.structs.asdict(value), "colour": value.colour.value, "id": str(value.id)}
    out = io.BytesIO()
    avro.io.DatumWriter(schema).write(record, avro.io.BinaryEncoder(out))
    assert serde.decode(out.getvalue()) == value


class Tree(ms.Record):
    value: int
    left: Tree | None = None
    right: Tree | None = None


class Click(ms.Record, tag="click"):
    x: int


class Key(ms.Record, tag="key"):
    x: int


class Event(ms.Record):
    of: Click | Key


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    note: str | None = None


class Row(TypedDict):
    id: int
    price: Annotated[Decimal, ms.avro_decimal(4, 1)]


class Loose(TypedDict, total=False):
    id: int


class Model(BaseModel):
    id: int
    price: Decimal


MODEL_SCHEMA = {
    "type": "record",
    "name": "Model",
    "fields": [{"name": "id", "type": "long"}, {"name": "price", "type": ms.avro_decimal(4, 1).extra["avro"]}],  # type: ignore[index]
}


@pytest.mark.parametrize(
    ("serde", "value"),
    [
        (ms.AvroSerde(Tree), Tree(1, Tree(2), Tree(3, Tree(4)))),
        (ms.AvroSerde(Event), Event(Click(1))),
        (ms.AvroSerde(Event), Event(Key(1))),
        (ms.AvroSerde(Point), Point(1)),
        (ms.AvroSerde(Point), Point(1, "x")),
        (ms.AvroSerde(Row), {"id": 1, "price": Decimal("2.5")}),
        (ms.AvroSerde(Model, schema=MODEL_SCHEMA), Model(id=1, price=Decimal("2.5"))),
        (ms.AvroSerde(schema=MODEL_SCHEMA), {"id": 1, "price": Decimal("2.5")}),
        (ms.AvroSerde(list[Point]), [Point(1), Point(2)]),
        (ms.AvroSerde(str), "x"),
        (ms.AvroSerde(schema="long"), 5),
    ],
)
def test_kinds_of_records(serde: ms.Serde[Any], value: Any) -> None:
    assert serde.decode(serde.encode(value)) == value
    assert type(serde.decode(serde.encode(value))) is type(value)


def test_a_key_that_may_be_absent() -> None:
    serde = ms.AvroSerde(Loose)
    assert serde.encode({}) == b"\x00"
    assert ms.AvroSerde(schema=ms.avro_schema(Loose)).decode(b"\x00") == {"id": None}


def test_it_is_the_plain_encoding(tmp_path: Path) -> None:
    """A file's text, its path and its data are one schema; the bytes are Avro's binary encoding alone."""
    path = tmp_path / "model.avsc"
    path.write_text(json.dumps(MODEL_SCHEMA))
    for schema in (MODEL_SCHEMA, json.dumps(MODEL_SCHEMA), path, str(path), fastavro.parse_schema(MODEL_SCHEMA)):
        serde = ms.AvroSerde(schema=schema)
        assert serde.encode({"id": 1, "price": Decimal("2.5")}).hex() == "020219"
        assert (serde.name, serde.type) == ("avro(Model)", Any)


OPTIONAL = {"type": "record", "name": "O", "fields": [{"name": "n", "type": ["null", "int"]}]}
MANY = {
    "type": "record",
    "name": "M",
    "fields": [{"name": "a", "type": {"type": "array", "items": {"type": "map", "values": OPTIONAL}}}],
}


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ("int", 2**31, "2147483648 does not fit int"),
        ("long", -(2**63) - 1, "does not fit long"),
        ("long", 1.5, "1.5 does not fit long"),
        ("long", True, "True does not fit long"),
        ("double", "1", "'1' does not fit double"),
        ("float", 3.5e38, "does not fit float"),
        ("boolean", 1, "1 does not fit boolean"),
        ("string", 1, "must be string"),
        (OPTIONAL, {"n": 2**40}, "n: 1099511627776 does not fit int"),
        (MANY, {"a": [{"k": {"n": 2**40}}]}, r"a\.n: 1099511627776 does not fit int"),
        (OPTIONAL, {}, "n is specified in the schema but missing"),
        (OPTIONAL, {"n": 1, "m": 1}, "more fields than the schema"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "B", "E"),
        ({"type": "long", "logicalType": "timestamp-millis"}, dt.datetime(2026, 1, 1), "give a datetime with a time"),
        (
            {"type": "long", "logicalType": "local-timestamp-millis"},
            dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            "without a time zone",
        ),
        ({"type": "long", "logicalType": "time-micros"}, dt.time(1, tzinfo=dt.UTC), "without a time zone"),
        (ms.avro_decimal(4, 1).extra["avro"], Decimal("1E+999999999"), "more than 3 digits"),  # type: ignore[index]
        (ms.avro_decimal(4, 1).extra["avro"], Decimal("NaN"), "is no finite Decimal"),  # type: ignore[index]
        (ms.avro_decimal(4, 1).extra["avro"], 5, "5 is no finite Decimal"),  # type: ignore[index]
        (ms.avro_decimal(4, 1).extra["avro"], Decimal("1.25"), "[Ss]cale"),  # type: ignore[index]
        (ms.avro_decimal(4, 1).extra["avro"], Decimal("1234.5"), "more than 3 digits before the point"),  # type: ignore[index]
    ],
)
def test_what_does_not_fit_is_refused(schema: Any, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ms.AvroSerde(schema=schema).encode(value)


def test_floats_and_their_limits() -> None:
    serde = ms.AvroSerde(schema="float")
    assert serde.decode(serde.encode(3.4028234663852886e38)) == 3.4028234663852886e38
    assert serde.decode(serde.encode(-math.inf)) == -math.inf
    assert math.isnan(serde.decode(serde.encode(math.nan)))
    assert serde.decode(serde.encode(1)) == 1.0


@pytest.mark.parametrize("data", [b"", b"\x02", b"garbage and more", b'{"x":1}', b"\x02\x00\x00"])
def test_bytes_that_are_something_else(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"are no avro\(Point\)|avro\(Point\) takes"):
        ms.AvroSerde(Point).decode(data)


@given(st.binary(max_size=60))
def test_no_bytes_do_more_than_raise_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        ms.AvroSerde(Point).decode(data)


def test_naive_moments_do_not_depend_on_where_the_program_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        serde = ms.AvroSerde(schema={"type": "long", "logicalType": "local-timestamp-micros"})
        assert serde.encode(dt.datetime(1970, 1, 1)) == b"\x00"
        assert serde.decode(b"\x00") == dt.datetime(1970, 1, 1)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "give a record type, a schema= or a registry="),
        ({"of": "long"}, "the first argument is a type; give the schema as schema="),
        ({"of": Point, "registry": "http://x"}, r"registry= takes a ms.SchemaRegistry\(url\), got 'http://x'"),
        ({"of": Everything}, r"Everything.maybe: Decimal needs digits and scale: Annotated\[Decimal"),
        ({"of": dict[str, dt.timedelta]}, r"dict\[str, datetime.timedelta\]: Avro has no type for timedelta"),
        ({"of": list[Any]}, r"list\[typing.Any\]: Avro must know the type"),
        ({"of": dict[int, int]}, r"dict\[int, int\]: Avro has no type for this dict; give a schema="),
        ({"of": Model}, "Model: Avro has no type for this custom; give a schema="),
        ({"schema": {"type": "record"}}, "this is no Avro schema"),
        ({"schema": "nonsense"}, "this is no Avro schema: UnknownType: nonsense"),
        ({"schema": "{"}, "schema= cannot be read"),
        ({"schema": "absent.avsc"}, "schema= cannot be read: .*No such file"),
        ({"schema": MODEL_SCHEMA, "namespace": "x"}, "namespace= is for the schema of a type"),
    ],
)
def test_wrong_use_is_refused_with_the_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(TopologyError, match=rf"^AvroSerde at tests.serde.test_avro.py:\d+: {said}"):
        ms.AvroSerde(**options)


def test_two_types_of_one_name() -> None:
    other = msgspec.defstruct("Inner", [("x", int)])
    both = msgspec.defstruct("Both", [("a", Inner), ("b", other)])
    with pytest.raises(TopologyError, match="two types are named Inner"):
        ms.AvroSerde(both)


def test_without_fastavro_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.partition(".")[0] in ("fastavro", "confluent_kafka"):
            raise ImportError(name, name=name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TopologyError, match=r"test_avro.py:\d+: Avro needs fastavro.*pip install 'millstream\[avro\]'"):
        ms.AvroSerde(Point)
    with pytest.raises(TopologyError, match=r"test_avro.py:\d+: .*pip install 'millstream\[registry\]'"):
        ms.SchemaRegistry("http://127.0.0.1:1")


def test_a_program_of_avro() -> None:
    """Keys and values, a store, a repartition topic, a bad record."""
    app = ms.App("points", emit="every")
    points = app.stream("points", value=ms.AvroSerde(Point))
    table = points.group_by(lambda p: p, key=ms.AvroSerde(Point)).reduce(lambda a, b: b, store="latest")
    table.to_stream().to("out")
    with TestDriver(app) as driver:
        driver.pipe("points", Point(1, "x"), key="k")
        assert [row[:2] for row in driver.read_bytes("out")] == [(b"\x02\x02\x02x", b"\x02\x02\x02x")]
        with pytest.raises(DeserializationError, match=r"points-0 offset 1: cannot decode the record: .*avro\(Point\)"):
            driver.pipe_bytes("points", b'{"x": 1}')


def test_what_cannot_be_written_stops_with_its_place() -> None:
    app = ms.App("points")
    app.stream("in", value=int).map_values(lambda n: {"n": n}, value=ms.AvroSerde(schema=OPTIONAL)).to("out")
    with TestDriver(app) as driver, pytest.raises(SerializationError, match=r"in-0 offset 0: .*n: .* does not fit int"):
        driver.pipe("in", 2**40)


def test_keys_of_records_are_dicts_that_no_store_can_hold() -> None:
    with pytest.raises(TopologyError, match="declare the key's type"):
        ms.App("x").stream("in", key=ms.AvroSerde(schema=OPTIONAL), value=int).group_by_key().count()
