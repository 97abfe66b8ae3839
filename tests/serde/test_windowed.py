"""Keys of windowed results, written by one program and read by another (F6, F17)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import millstream as ms
from millstream.errors import DeserializationError, TopologyError
from millstream.testing import TestDriver

starts = st.integers(0, 2**62)


@given(st.text(), starts)
def test_time_windows_survive(key: str, start: int) -> None:  # F6
    serde = ms.time_windowed(str, "10s")
    windowed = ms.Windowed(key, ms.Window(start, start + 10_000))
    assert serde.encode(windowed) == key.encode() + start.to_bytes(8, "big")
    assert serde.decode(serde.encode(windowed)) == windowed


@given(st.integers(-(2**63), 2**63 - 1), starts, st.integers(0, 10**6))
def test_sessions_survive(key: int, start: int, length: int) -> None:  # F6
    serde = ms.session_windowed(ms.INT64)
    windowed = ms.Windowed(key, ms.Window(start, start + length))
    assert serde.decode(serde.encode(windowed)) == windowed


def counting(windows: Any) -> ms.App:
    app = ms.App("counts", emit="every")
    app.stream("words", key=str, value=str).group_by_key().windowed_by(windows).count().to_stream().to("counts")
    return app


@pytest.mark.parametrize(
    ("windows", "keys"),
    [
        (ms.tumbling("10s"), ms.time_windowed(str, "10s")),
        (ms.hopping("10s", advance="5s"), ms.time_windowed(ms.STRING, 10_000)),
        (ms.sliding("10s", grace=0), ms.time_windowed(str, "10s")),
        (ms.session("10s"), ms.session_windowed(str)),
    ],
)
def test_another_program_reads_the_topic(windows: Any, keys: Any) -> None:
    """And writes it on unchanged, to where the inner key belongs (F14)."""
    with TestDriver(counting(windows)) as first:
        for timestamp in (1_000, 4_000, 17_000):
            first.pipe("words", "x", key="k", timestamp=timestamp)
        written = first.read_bytes("counts")
    app = ms.App("reader", emit="every")
    counts = app.stream("counts", key=keys, value=int)
    counts.to("copy")
    counts.map(lambda key, n: (key.key, f"{key.window.start}-{key.window.end}: {n}"), value=str).to("shown")
    with TestDriver(app) as second:
        for key, value, timestamp, _ in written:
            second.pipe_bytes("counts", value, key=key, timestamp=timestamp)
        assert second.read_bytes("copy") == written
        assert second.read("shown")[0].key == "k"
        with pytest.raises(DeserializationError, match=r"counts-0 offset \d: .*a windowed key ends with \d+ bytes"):
            second.pipe_bytes("counts", (1).to_bytes(8, "big"), key=b"short")


@pytest.mark.parametrize(
    ("windows", "keys"),
    [
        (ms.tumbling("10s"), ms.time_windowed(str, "10s", changelog=True)),
        (ms.session("10s"), ms.session_windowed(str)),
    ],
)
def test_another_program_reads_the_changelog(windows: Any, keys: Any) -> None:  # F2, F3
    with TestDriver(counting(windows)) as first:
        for timestamp in (1_000, 4_000, 27_000):
            first.pipe("words", "x", key="k", timestamp=timestamp)
        kept = [(row.key, row.value) for row in first.read("counts")]
        changes = [pair for batch in first.changelog for pair in zip(batch.keys, batch.values, strict=True)]
    app = ms.App("reader", emit="every")
    app.table("counts-changelog", key=keys, value=int, store="rows")
    with TestDriver(app) as second:
        for key, value in changes:
            second.pipe_bytes("counts-changelog", value, key=key)
        assert dict(second.store("rows").all()) == {
            key: value for key, value in dict(kept).items() if value is not None
        }
    assert [keys.encode(keys.decode(key)) for key, _ in changes] == [key for key, _ in changes]


def test_a_table_of_windows() -> None:
    app = ms.App("reader", emit="every")
    app.table("counts", key=ms.time_windowed(str, 10), value=int, store="rows")
    with TestDriver(app) as driver:
        driver.pipe("counts", 5, key=ms.Windowed("k", ms.Window(10, 20)))
        assert driver.store("rows").get(ms.Windowed("k", ms.Window(10, 20))) == 5


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ms.time_windowed(str, "ten seconds"), "time_windowed at .*: size: "),
        (lambda: ms.time_windowed(str, 0), "time_windowed at .*: a window's size must be above 0"),
        (lambda: ms.time_windowed(complex, 10), "time_windowed at .*: .* is no type of keys: JSON cannot be read into"),
        (lambda: ms.session_windowed(complex), "session_windowed at .*test_windowed.py"),
    ],
)
def test_wrong_use_is_refused_with_the_line(make: Any, said: str) -> None:
    with pytest.raises(TopologyError, match=said):
        make()
