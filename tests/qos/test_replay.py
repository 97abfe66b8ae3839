"""Recorded sessions become one match; what is wrong in a row stays wrong in its report."""

from __future__ import annotations

import gzip
import json

import pytest
from examples.qos import replay

from millstream.errors import ConfigError
from tests.shared import LUMOS

HEADER = "session,offset_ms,chunk_ms,server_mbps,bitrate_kbps,chunk_kbit,throughput_kbps,delivery_ms"


def played(tmp_path, *lines: str):
    path = tmp_path / "reports.csv"
    path.write_text("\n".join((HEADER, *lines)) + "\n")
    return [(event.offset_ms, json.loads(event.value)) for event in replay.events(path)]


def test_sessions_join_one_after_the_other(tmp_path):
    events = played(
        tmp_path,
        "late,500,4000,5,300,900,1800,500",
        "late,4500,4000,5,300,900,1800,500",
        "early,100,4000,50,300,900,9000,100",
    )
    assert [(at_ms, report["session"], report["number"], report["cdn"]) for at_ms, report in events] == [
        (500, "late", 0, "cdn-5"),
        (1_300, "early", 0, "cdn-50"),
        (4_500, "late", 1, "cdn-5"),
    ]
    assert {report["location"] for _, report in events} <= set(replay.LOCATIONS)


def test_start_up_and_stalls_are_rebuilt(tmp_path):
    events = played(
        tmp_path,
        "s,700,4000,5,300,900,1800,700",
        "s,2700,4000,5,300,900,1800,2000",
        "s,12700,4000,5,300,900,1800,10000",  # 6 s were in the buffer
        "s,16700,4000,5,300,900,1800,500",
        "s,20701,4000,5,300,900,1800,500",
    )
    assert [report["startup_ms"] for _, report in events] == [700, 0, 0, 0, 0]
    assert [report["rebuffer_ms"] for _, report in events] == [0, 0, 4_000, 0, 1]


def test_bad_rows_become_bad_reports(tmp_path):
    events = played(
        tmp_path, "s,700,4000,5,300,900,1800,700", "s,soon,4000,5,300,nine hundred,1800,700", "s,900,4000,5,300"
    )
    assert [at_ms for at_ms, _ in events] == [700, 701, 900]
    assert events[1][1]["chunk_kbit"] == "nine hundred"
    assert "delivery_ms" not in events[2][1]


def test_a_session_never_reports_twice_in_a_moment(tmp_path):
    lines = ["s,700,4000,5,300,900,1800,700"] * 3
    assert [at_ms for at_ms, _ in played(tmp_path, *lines)] == [700, 701, 702]


def test_compressed_files(tmp_path):
    path = tmp_path / "reports.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\ns,700,4000,5,300,900,1800,700\n".encode()))
    assert len(replay.events(path)) == 1


def test_a_header_without_a_column_is_refused(tmp_path):
    path = tmp_path / "reports.csv"
    path.write_text("session,offset_ms\ns,1\n")
    with pytest.raises(ConfigError, match=r"reports\.csv: the header lacks server_mbps, bitrate_kbps"):
        replay.events(path)


@pytest.mark.parametrize("content", [None, b"not gzip"])
def test_an_unreadable_file_is_refused(tmp_path, content):
    path = tmp_path / "reports.csv.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"reports\.csv\.gz: cannot be read"):
        replay.events(path)


@pytest.mark.shared
def test_the_real_reports():
    events = replay.events(LUMOS)
    assert len(events) == 48_870
    assert len({event.key for event in events}) == 492
    assert len({event.place for event in events}) == 2 * len(replay.LOCATIONS)
    assert [event.offset_ms for event in events] == sorted(event.offset_ms for event in events)
