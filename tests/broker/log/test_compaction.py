"""Compaction: the latest record of each key stays at its offset, and nothing else that could be missed goes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.broker.log.batch import read_header
from millstream.broker.log.blob import FileFolder, Folder, MemoryFolder
from millstream.broker.log.compaction import compact, due
from millstream.broker.log.partition import CompactionRules, LogSettings, PartitionLog
from millstream.broker.log.records import keyed_records
from tests.broker.batches import Record, batch

SIZE = len(batch())
NOW = 10_000


def settings_of(batches: int = 2, **rules: float) -> LogSettings:
    return LogSettings(segment_bytes=batches * SIZE, compacted=True, compaction=CompactionRules(**rules))  # type: ignore[arg-type]


def open_log(folder: Folder | None = None, config: LogSettings | None = None) -> PartitionLog:
    return PartitionLog("t-0", folder or MemoryFolder(), config or settings_of())


def compacted(log: PartitionLog, now_ms: int = NOW) -> bool:
    """Whether there was something to do."""
    segments = due(log, now_ms)
    for _ in compact(log, segments, now_ms):
        pass
    return bool(segments)


def put(log: PartitionLog, key: bytes, value: bytes | None = b"v", stamp: int = 1) -> int:
    return log.append(batch([(stamp, key, value)]), NOW).base_offset


def content(log: PartitionLog) -> list[tuple[int, bytes | None, bool]]:
    """Offset, key and whether it is a tombstone; as a reader finds them who goes from batch to batch."""
    found = []
    offset = log.start_offset
    while offset < log.end_offset:
        raw = memoryview(log.read(offset, 300, at_least_one=True))
        position = 0
        while position < len(raw):
            header = read_header(raw, position)
            one = raw[position : position + header.size]
            found += [(each.offset, each.key, each.tombstone) for each in keyed_records(header, one)]
            assert header.base_offset <= offset < header.next_offset, "there are no holes"
            offset = header.next_offset
            position += header.size
    return [each for each in found if each[0] >= log.start_offset]


def keys(log: PartitionLog) -> list[tuple[int, bytes | None]]:
    return [(offset, key) for offset, key, _ in content(log)]


@pytest.fixture(params=["file", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return FileFolder(tmp_path / "t-0") if request.param == "file" else MemoryFolder()


def test_superseded_records_go_and_the_segment_that_is_written_to_stays(folder: Folder) -> None:
    log = open_log(folder)
    for key in (b"a", b"b", b"a", b"c", b"b", b"b", b"a"):
        put(log, key)
    assert compacted(log)
    assert keys(log) == [(2, b"a"), (3, b"c"), (5, b"b"), (6, b"a")]
    assert put(log, b"d") == 7
    assert not compacted(log), "there is nothing new"
    log.close()


def test_a_pass_remembers_so_many_keys_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millstream.broker.log.compaction.MOST_KEYS", 3)
    log = open_log(config=settings_of(2, dirty_ratio=0.0))
    for key in (b"a", b"a", b"b", b"a", b"c", b"b", b"b", b"c", b"d"):
        put(log, key)
    assert compacted(log)
    assert keys(log) == [(2, b"b"), (3, b"a"), (4, b"c"), (5, b"b"), (6, b"b"), (7, b"c"), (8, b"d")]
    assert compacted(log)
    assert keys(log) == [(3, b"a"), (4, b"c"), (5, b"b"), (6, b"b"), (7, b"c"), (8, b"d")]
    assert compacted(log)
    assert keys(log) == [(3, b"a"), (6, b"b"), (7, b"c"), (8, b"d")]
    assert not compacted(log)


def test_segments_that_are_to_be_compacted_roll_before_they_have_too_many_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("millstream.broker.log.partition.LARGEST_COMPACTED_SEGMENT", 3)
    for is_compacted in (True, False):
        log = open_log(config=LogSettings(compacted=is_compacted))
        for _ in range(7):
            put(log, b"a")
        assert len(list(log.closed_segments)) == (2 if is_compacted else 0)


@pytest.mark.parametrize("codec", range(5))
def test_records_of_one_batch(codec: int) -> None:
    log = open_log(config=settings_of(100, dirty_ratio=0.0))
    records: list[Record] = [(5, b"a", b"x" * 200), (9, b"b", b"y"), (7, b"a", b"z"), (6, b"c", b"")]
    log.append(batch(records, codec=codec), NOW)
    log._roll()
    assert compacted(log)
    assert keys(log) == [(1, b"b"), (2, b"a"), (3, b"c")]
    assert log.find_timestamp(9) == (1, 9)
    assert log.find_timestamp(0) == (1, 9)
    put(log, b"b")
    log._roll()
    assert compacted(log)
    assert keys(log) == [(2, b"a"), (3, b"c"), (4, b"b")]
    assert log.latest_timestamp() == (2, 7)


def test_small_segments_are_joined(tmp_path: Path) -> None:
    folder = FileFolder(tmp_path)
    log = open_log(folder, settings_of(dirty_ratio=0.0))
    for _ in range(40):
        put(log, b"a")
    assert len(folder.bases()) == 20
    compacted(log)
    put(log, b"b")
    put(log, b"b")
    compacted(log)
    log.close()
    assert len(folder.bases()) < 15
    again = open_log(FileFolder(tmp_path))
    assert keys(again) == [(39, b"a"), (40, b"b"), (41, b"b")]
    assert again.end_offset == 42
    again.close()


def test_tombstones_go_when_their_time_is_over() -> None:
    log = open_log(config=settings_of(1, delete_retention_ms=100))
    put(log, b"a")
    put(log, b"a", None)
    put(log, b"b")
    put(log, b"b")
    compacted(log)
    assert (1, b"a", True) in content(log)
    assert not compacted(log, NOW + 99)
    assert compacted(log, NOW + 100)
    assert b"a" not in {key for _, key in keys(log)}
    assert log.end_offset == 4


def test_other_passes_do_not_make_tombstones_younger() -> None:
    log = open_log(config=settings_of(1, delete_retention_ms=100, dirty_ratio=0.0))
    put(log, b"a", None)
    put(log, b"x")
    compacted(log)
    for step in (30, 60, 90):
        put(log, b"x")
        assert compacted(log, NOW + step)
    assert (0, b"a", True) in content(log)
    assert compacted(log, NOW + 100)
    assert (0, b"a", True) not in content(log)


def test_min_compaction_lag() -> None:
    log = open_log(config=settings_of(1, min_lag_ms=1_000))
    for stamp in (8_000, 8_000, 9_500, 9_500):
        put(log, b"a", stamp=stamp)
    compacted(log)
    assert [offset for offset, _ in keys(log)] == [1, 2, 3]


@pytest.mark.parametrize(("ratio", "lag", "expected"), [(0.9, 10**6, False), (0.5, 10**6, True), (0.9, 1, True)])
def test_when_a_pass_is_worth_while(ratio: float, lag: int, expected: bool) -> None:
    log = open_log(config=settings_of(1, dirty_ratio=ratio, max_lag_ms=lag))
    put(log, b"a")
    put(log, b"b")
    put(log, b"c")
    for _ in compact(log, log.closed_segments, NOW):
        pass
    for key in (b"d", b"e", b"f"):
        put(log, key)
    assert bool(due(log, NOW + 5)) is expected


def test_records_without_a_key_go() -> None:
    log = open_log(config=LogSettings(segment_bytes=SIZE))
    log.append(batch([(1, None, b"v")]), NOW)
    put(log, b"a")
    compacted(log)
    assert keys(log) == [(1, b"a")]


def test_aborted_records_and_markers_go_and_committed_ones_stay_visible() -> None:
    log = open_log(config=settings_of(1))
    for number, commit in enumerate([True, False, True]):
        for key in (b"a", b"%d" % number):
            sent = batch([(1, key, b"v")], attributes=0x10, producer_id=7, epoch=0, sequence=number * 2 + (key != b"a"))
            log.append(sent, NOW, lambda _: None)
        log.append_marker(7, 0, NOW, commit=commit)
    log.append(batch([(1, b"o", b"v")], attributes=0x10, producer_id=8, epoch=0, sequence=0), NOW, lambda _: None)
    put(log, b"e")
    put(log, b"e")
    compacted(log)
    assert keys(log) == [(1, b"0"), (6, b"a"), (7, b"2"), (9, b"o"), (10, b"e"), (11, b"e")]
    assert log.transactions.aborted(0, 100) == [], "an abort whose marker is gone would hide what follows"
    assert log.stable_offset == 9, "nothing from an open transaction on is touched"


def test_the_last_batch_of_a_producer_is_remembered(tmp_path: Path) -> None:
    log = open_log(FileFolder(tmp_path), settings_of(1))
    for sequence in range(3):
        log.append(batch([(1, b"a", b"v")], producer_id=7, epoch=0, sequence=sequence), NOW)
    put(log, b"a")
    put(log, b"a")
    compacted(log)
    log.close()
    again = open_log(FileFolder(tmp_path), settings_of(1))
    assert keys(again)[0][0] >= 3
    assert again.append(batch([(1, b"a", b"v")], producer_id=7, epoch=0, sequence=2), NOW).base_offset == 2
    assert again.append(batch([(1, b"a", b"v")], producer_id=7, epoch=0, sequence=3), NOW).base_offset == 5
    again.close()


@pytest.mark.parametrize("steps", range(12))
def test_what_happens_to_the_log_meanwhile(tmp_path: Path, steps: int) -> None:
    """Records are deleted in the middle of a pass, which ends there; the next one finds everything in order."""
    log = open_log(FileFolder(tmp_path), settings_of(1))
    for index in range(8):
        put(log, b"%d" % (index % 3))
    running = compact(log, due(log, NOW), NOW)
    for _ in range(steps):
        next(running)
    log.delete_before(4)
    for _ in running:
        pass
    compacted(log)
    assert {key for _, key in keys(log)} == {b"0", b"1", b"2"}
    log.close()
    for _ in running:
        pass
    again = open_log(FileFolder(tmp_path), settings_of(1))
    assert again.end_offset == 8
    again.close()


def test_a_crash_in_a_pass_leaves_every_key(tmp_path: Path) -> None:
    for steps in range(40):
        folder = tmp_path / str(steps)
        log = open_log(FileFolder(folder), settings_of(3))
        for index in range(20):
            put(log, b"%d" % (index % 3))
        running = compact(log, due(log, NOW), NOW)
        for _ in range(steps):
            next(running, None)
        log.close()
        running.close()
        again = open_log(FileFolder(folder), settings_of(3))
        assert not list(folder.glob("*.draft"))
        assert again.end_offset == 20
        assert {key: offset for offset, key in keys(again)} == {b"2": 17, b"0": 18, b"1": 19}
        again.close()


KEYED = st.tuples(st.sampled_from([b"a", b"b", b"c", b"d"]), st.booleans())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(KEYED, min_size=1, max_size=4), min_size=1, max_size=30), st.data())
def test_the_latest_of_each_key_is_always_there(batches: list[list[tuple[bytes, bool]]], data: st.DataObject) -> None:
    """Whatever is written, with passes at any time and the log opened again at any time."""
    with tempfile.TemporaryDirectory() as place:
        config = settings_of(3, dirty_ratio=0.0)
        log = open_log(FileFolder(Path(place)), config)
        expected: dict[bytes, tuple[int, bool]] = {}
        for records in batches:
            sent: list[Record] = [(1, key, None if gone else b"v") for key, gone in records]
            base = log.append(batch(sent, codec=data.draw(st.integers(0, 4))), NOW).base_offset
            for index, (key, gone) in enumerate(records):
                expected[key] = (base + index, gone)
            step = data.draw(st.integers(0, 4))
            if step == 0:
                compacted(log)
            elif step == 1:
                log.close()
                log = open_log(FileFolder(Path(place)), config)
        log._roll()
        compacted(log)
        assert content(log) == sorted((offset, key, gone) for key, (offset, gone) in expected.items())
        log.close()
