"""What the user may ask the demo for, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from examples.qos.demo.options import Options, match_seconds, parse_speed

from millstream.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"reports": Path("nowhere.csv")}, "--reports nowhere.csv: there is no such file"),
        ({"viewers": 0}, "--viewers must be above 0, got 0"),
        ({"speed": -1.0}, "--speed must be above 0, got -1"),
        ({"speed": float("inf")}, "--speed must be above 0, got inf"),
        ({"speed": float("nan")}, "--speed must be above 0, got nan"),
        ({"seconds": 0.0}, "--seconds must be above 0, got 0"),
        ({"bootstrap": "kafka"}, "--bootstrap must be HOST:PORT, got 'kafka'"),
    ],
)
def test_what_makes_no_sense_is_refused(given, says):
    with pytest.raises(ConfigError) as refused:
        Options(**given)
    assert str(refused.value) == says


def test_speed_is_a_number_or_max():
    assert parse_speed("max") is None
    with pytest.raises(ConfigError, match="--speed must be a number or max, got 'fast'"):
        parse_speed("fast")


@pytest.mark.parametrize(
    ("given", "watched", "seconds"),
    [
        ({}, True, None),
        ({}, False, 60.0),
        ({"seconds": 5.0}, True, 5.0),
        ({"speed": None}, True, 600.0),
        ({"speed": 3.0}, False, 600.0),
    ],
)
def test_how_long_a_simulated_match_is(given, watched, seconds):
    assert match_seconds(Options(**given), watched=watched) == seconds


def test_a_file_is_played_to_its_end(tmp_path):
    (tmp_path / "r.csv").touch()
    assert match_seconds(Options(reports=tmp_path / "r.csv", speed=None), watched=False) is None
