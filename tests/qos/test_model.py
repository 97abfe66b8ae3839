"""What counts as a report."""

from __future__ import annotations

import msgspec
import pytest
from examples.qos.model import Place, Report, place_key

from tests.qos.reports import report

GOOD = msgspec.to_builtins(report())


def test_unknown_fields_are_passed_over():
    assert msgspec.json.decode(msgspec.json.encode(GOOD | {"app": "tv"}), type=Report) == report()


@pytest.mark.parametrize("field", GOOD)
def test_every_field_is_needed(field):
    rest = {name: value for name, value in GOOD.items() if name != field}
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.json.decode(msgspec.json.encode(rest), type=Report)


@pytest.mark.parametrize(
    "wrong", [{"chunk_ms": 0}, {"delivery_ms": -1}, {"session": ""}, {"number": "1"}, {"bitrate_kbps": 1.5}]
)
def test_wrong_values_are_refused(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(GOOD | wrong), type=Report)


def test_a_place_has_one_spelling():
    assert place_key("São Paulo", "meridian") == '{"cdn":"meridian","location":"São Paulo"}'.encode()
    assert list(Place.__struct_fields__) == sorted(Place.__struct_fields__)
