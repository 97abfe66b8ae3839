"""A program in one call, through the public function."""

from __future__ import annotations

import pytest

import millstream as ms
from millstream.testing import drive


def counts(**settings: object) -> ms.App:
    app = ms.App("counts", **settings)
    app.stream("in", value=str).group_by_key().windowed_by(ms.tumbling(10)).count().to_stream().to("out")
    app.stream("in", value=str).filter(lambda _: False).to("nothing")
    return app


def test_records_are_processed_one_by_one_at_their_times() -> None:
    told = drive(counts(), ("in", "a", "x", 5), ("in", "a", "x", 9), ("in", "b", "x", 12))
    assert told == {
        "out": [
            (ms.Windowed("a", ms.Window(0, 10)), 1),
            (ms.Windowed("a", ms.Window(0, 10)), 2),
            (ms.Windowed("b", ms.Window(10, 20)), 1),
        ]
    }


def test_without_a_timestamp_it_is_0_and_a_null_stays_one() -> None:
    assert drive(counts(), ("in", "a", None)) == {"out": [(ms.Windowed("a", ms.Window(0, 10)), 1)]}


def test_each_call_begins_anew() -> None:
    app = counts()
    assert drive(app, ("in", "a", "x")) == drive(app, ("in", "a", "x"))


def test_the_driver_takes_what_it_takes_by_hand() -> None:
    with pytest.raises(ms.MillstreamError, match="the program reads no topic 'inn'"):
        drive(counts(), ("inn", "a", "x"), store="rocksdb")
