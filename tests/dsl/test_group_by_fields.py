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


class Town(ms.Record):
    location: str


@pytest.mark.parametrize(("given", "says"), [(Town, "has location"), (dict, "is no record type")])
def test_a_type_with_other_fields_is_refused(given, says):
    app = ms.App("places")
    with pytest.raises(ms.TopologyError, match=rf"must have the fields location, cdn; .*{says}"):
        app.stream("reports", value=Report).group_by("location", "cdn", key=given)
