"""Groups by several fields: the key's bytes and its type."""

from __future__ import annotations

import pytest

import millstream as ms
from millstream.testing import TestDriver
from tests.tasks import Tasks


class Report(ms.Record):
    location: str
    cdn: str
    bitrate: int


class Place(ms.Record):
    cdn: str
    location: str


def keys_of(**given):
    app = ms.App("places", emit="every")
    seen = []
    grouped = app.stream("reports", value=Report).group_by("location", "cdn", name="places", **given)
    grouped.count().to_stream().peek(lambda key, _: seen.append(key)).to("counts")
    tasks = Tasks(app.topology(), {"reports": 1, "counts": 1})
    tasks.put("reports", 0, (b"s1", '{"location":"São Paulo","cdn":"blue","bitrate":5}'.encode(), 3))
    tasks.run()
    assert [row.key for row in tasks.read("counts")] == ['{"cdn":"blue","location":"São Paulo"}'.encode()]
    return seen


def test_a_record_made_of_the_fields():
    (key,) = keys_of()
    assert (key.location, key.cdn) == ("São Paulo", "blue")


def test_the_type_given():
    assert keys_of(key=Place) == [Place(cdn="blue", location="São Paulo")]


@pytest.mark.parametrize("fields", [("location",), ("location", "cdn")])
@pytest.mark.parametrize("value", [Report, dict, None])
def test_a_null_value_has_no_fields_and_so_no_key(fields, value):  # A1, O6
    app = ms.App("places", emit="every")
    app.stream("reports", value=value).group_by(*fields).count().to_stream().to("counts")
    with TestDriver(app) as driver:
        driver.pipe("reports", {"location": "Oslo", "cdn": "blue", "bitrate": 5}, key="a")
        driver.pipe("reports", None, key="a")
        assert driver.output_topic("counts").read_values() == [1]


def test_a_field_that_a_value_lacks_is_an_error():
    app = ms.App("places")
    app.stream("reports").group_by("location").count().to_stream().to("counts")
    with TestDriver(app) as driver, pytest.raises(ms.MillstreamError, match=r"group_by at .*: KeyError: 'location'"):
        driver.pipe("reports", {"cdn": "blue"})


class Click(ms.Record, tag="click"):
    shop: str
    at: int
    by: str = ""


class Sale(ms.Record, tag="sale"):
    shop: str
    at: float
    amount: int = 0


def test_records_of_several_types_are_grouped_by_what_all_have():
    app = ms.App("shops", emit="every")
    events = app.stream("events", value=Click | Sale)
    events.group_by("shop", name="one").aggregate(latest=ms.max("at"), n=ms.count()).to_stream().to("one")
    events.group_by("shop", "at", name="two").count().to_stream().to("two")
    with TestDriver(app) as driver:
        for event in (Click("north", 1), Sale("north", 1.5), Click("south", 2)):
            driver.pipe("events", event, key="k")
        one, two = driver.output_topic("one").read_pairs(), driver.output_topic("two").read_pairs()
    assert [(key, value.latest, value.n) for key, value in one] == [("north", 1, 1), ("north", 1.5, 2), ("south", 2, 1)]
    assert [(key.shop, key.at, count) for key, count in two] == [("north", 1, 1), ("north", 1.5, 1), ("south", 2, 1)]


@pytest.mark.parametrize(
    ("value", "fields", "says"),
    [
        (
            Click | Sale,
            ("shop", "amount"),
            r"Click has no field 'amount'; it has shop, at, by; values here are Click or",
        ),
        (Click | Sale | None, ("by",), r"Sale has no field 'by'; .*values here are Click or Sale: give each the field"),
        (Click | str, ("shop",), r"values of type str have no field 'shop'; .*values here are Click or str"),
        (
            ms.serde_from(bytes, bytes, of=Click | dict),
            ("shop",),
            r"values here are Click or dict, of which some have 'shop' as an item and some as an",
        ),
    ],
)
def test_fields_that_not_all_of_several_types_have_are_refused(value, fields, says):
    stream = ms.App("shops").stream("events", value=value)
    with pytest.raises(ms.TopologyError, match=rf"group_by at .*test_group_by_fields.py:\d+: {says}"):
        stream.group_by(*fields)
    with pytest.raises(ms.TopologyError, match=rf"aggregate at .*{says}"):
        stream.group_by_key().aggregate(**{name: ms.last(name) for name in fields})


class Town(ms.Record):
    location: str


@pytest.mark.parametrize(("given", "says"), [(Town, "has location"), (dict, "is no record type")])
def test_a_type_with_other_fields_is_refused(given, says):
    app = ms.App("places")
    with pytest.raises(ms.TopologyError, match=rf"must have the fields location, cdn; .*{says}"):
        app.stream("reports", value=Report).group_by("location", "cdn", key=given)
