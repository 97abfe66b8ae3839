"""The application's tasks, with input cut at random, in any order and with crashes, against the offline computation."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from examples.qos import replay, simulator
from examples.qos.app import Clock, build
from examples.qos.cities import CITIES
from examples.qos.definitions import (
    ALERTS,
    ANOMALIES,
    BENCHMARKS,
    DEAD_LETTERS,
    DROPOFFS,
    LOCATIONS,
    PARTITIONS,
    REPORTS,
    WINDOW_MS,
)
from examples.qos.model import place_key
from examples.qos.offline import Expected, expected
from examples.qos.schedule import Row, whole

from millstream.engine import EngineSettings
from millstream.plan.internal import TaskId
from tests.qos.reports import BENCHMARK, report
from tests.shared import LUMOS
from tests.tasks import Tasks

START_MS = 1_700_000_000_000
OUTPUTS = (ALERTS, LOCATIONS, ANOMALIES, DROPOFFS, DEAD_LETTERS)
GROUPED = "app-reports-by-place-repartition"
COUNTS = {REPORTS: PARTITIONS, BENCHMARKS: 1, **dict.fromkeys(OUTPUTS, 1)}


def tasks_for(rows: list[Row], benchmarks, clock: Clock = "stream") -> Tasks:
    app = build(clock)
    settings = EngineSettings(on_decode_error=app.settings.on_decode_error, dead_letters=app.settings.dead_letters)
    tasks = Tasks(app.topology(), COUNTS, settings)
    tasks.publish(BENCHMARKS, [(cdn.encode(), msgspec.json.encode(it)) for cdn, it in benchmarks.items()])
    for partition, at_ms, key, value in rows:
        tasks.put(REPORTS, partition, (key, value, at_ms))
    return tasks


def results(tasks: Tasks, topic: str, *by: str) -> list[dict[str, Any]]:
    """What was told, sorted by its subject as the offline computation sorts it; what was told twice, once."""
    told = [msgspec.json.decode(row.value or b"") for row in dict.fromkeys(tasks.read(topic))]
    return sorted(told, key=lambda each: [each[name] for name in by])


def assert_equal(tasks: Tasks, batch: Expected) -> None:
    assert results(tasks, ALERTS, "location", "cdn") == batch.alerts
    assert results(tasks, ANOMALIES, "session") == batch.anomalies
    assert results(tasks, DROPOFFS, "session") == batch.dropoffs
    assert len(dict.fromkeys(tasks.read(DEAD_LETTERS))) == batch.dead_letters


def offline(rows: list[Row], benchmarks) -> Expected:
    return expected(rows, {cdn: msgspec.to_builtins(promised) for cdn, promised in benchmarks.items()})


def simulated(**match: Any) -> list[Row]:
    return list(whole(simulator.events(simulator.Match(**match)), START_MS, PARTITIONS))


@pytest.mark.parametrize("seed", range(3))
def test_simulated_match_cut_at_random(seed):
    rows = simulated(seed=3, viewers=300, seconds=80, malformed=0.01)
    random = Random(seed)
    tasks = tasks_for(rows, simulator.CDNS)
    while behind := tasks.behind():
        tasks.round(random.choice(behind), max_rows=random.choice((1, 7, 60, 500)))
    batch = offline(rows, simulator.CDNS)
    assert batch.dead_letters
    assert batch.alerts
    assert batch.anomalies
    assert batch.dropoffs
    assert_equal(tasks, batch)


@pytest.mark.shared
def test_real_reports():
    rows = list(whole(replay.events(LUMOS), START_MS, PARTITIONS))
    random = Random(1)
    tasks = tasks_for(rows, replay.BENCHMARKS)
    while behind := tasks.behind():
        tasks.round(random.choice(behind), max_rows=random.choice((300, 2_000, 10_000)))
    batch = offline(rows, replay.BENCHMARKS)
    assert (batch.reports, len(batch.alerts), len(batch.anomalies), len(batch.dropoffs)) == (48_870, 29, 157, 83)
    assert_equal(tasks, batch)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_missing_after_crashes(seed):
    rows = simulated(seed=5, viewers=300, seconds=60)
    random = Random(seed)
    tasks = tasks_for(rows, simulator.CDNS)
    crashes = 0
    while behind := tasks.behind():
        id_ = random.choice(behind)
        tasks.round(id_, max_rows=random.choice((10, 100)))
        if random.random() < 0.3:
            tasks.commit(id_)
        elif random.random() < 0.1:
            tasks.crash(id_)
            crashes += 1
    assert crashes > 3
    batch = offline(rows, simulator.CDNS)
    assert batch.alerts
    assert_equal(tasks, batch)


def test_a_place_has_the_key_that_the_feed_partitions_by():
    places = [(city.name, cdn) for city in CITIES for cdn in simulator.CDNS]
    assert {"São Paulo", "Bogotá"} <= {location for location, _ in places}
    rows = [
        Row(0, number, b"s", msgspec.json.encode(report(location=location, cdn=cdn)))
        for number, (location, cdn) in enumerate(places)
    ]
    tasks = tasks_for(rows, {}).run()
    assert {row.key for row in tasks.read(GROUPED)} == {place_key(*place) for place in places}


@pytest.mark.parametrize("partition", range(PARTITIONS))
def test_a_report_goes_on_in_the_partition_that_it_came_in(partition):
    tasks = tasks_for(simulated(viewers=300, seconds=20), {})
    tasks.round(TaskId(0, partition), max_rows=100_000)
    assert [at.partition for at in tasks.topics if at.topic == GROUPED] == [partition]
    assert len(tasks.read(GROUPED)) > 100


def test_outputs_are_at_the_time_they_tell():
    tasks = tasks_for(simulated(seed=3, viewers=300, seconds=60), simulator.CDNS).run()
    for topic in (ALERTS, ANOMALIES, DROPOFFS):
        assert all(msgspec.json.decode(row.value or b"")["at_ms"] == row.timestamp for row in tasks.read(topic))


def test_a_place_is_shown_once_in_a_round_and_as_it_then_stands():
    rows = [row for row in simulated(seed=3, viewers=300, seconds=60, malformed=0.0) if row.key is not None]
    tasks = tasks_for(rows, simulator.CDNS).run()
    shown = {(row["location"], row["cdn"]): row for row in results(tasks, LOCATIONS)}
    assert len(shown) == len(tasks.read(LOCATIONS))

    reports = [(row.timestamp_ms, msgspec.json.decode(row.value or b"")) for row in rows]
    last_ms = {(each["location"], each["cdn"]): at_ms for at_ms, each in reports}
    assert {place: row["last_report_ms"] for place, row in shown.items()} == last_ms
    for place, row in shown.items():
        in_window = [
            each
            for at_ms, each in reports
            if (each["location"], each["cdn"]) == place and row["window_ms"] <= at_ms < row["window_ms"] + WINDOW_MS
        ]
        assert row["figures"]["reports"] == len(in_window)
        assert row["figures"]["bitrate_kbps"] == sum(each["bitrate_kbps"] for each in in_window) / len(in_window)
    open_places = {(alert["location"], alert["cdn"]): alert["status"] == "open" for alert in results(tasks, ALERTS)}
    assert {place for place, row in shown.items() if row["alert_open"]} == {
        place for place, is_open in open_places.items() if is_open
    }


def live(*reports, until_s: int) -> Tasks:
    """Some reports, and then nothing but the wall clock; it is asked every second."""
    tasks = tasks_for(list(reports), {"meridian": BENCHMARK}, clock="wall")
    tasks.run()
    for _ in range(until_s):
        tasks.wall_ms += 1_000
        for id_ in tasks.specs:
            tasks.round(id_, 1)
    return tasks


def test_live_the_wall_clock_goes_on_where_the_input_is_quiet():
    bad = [
        Row(0, START_MS + n * 100, b"s", msgspec.json.encode(report(session="s", number=n, rebuffer_ms=900)))
        for n in range(20)
    ]
    last_ms = bad[-1].timestamp_ms
    assert results(live(*bad, until_s=9), DROPOFFS) == []
    tasks = live(*bad, until_s=11)
    assert [(row["session"], row["at_ms"]) for row in results(tasks, DROPOFFS)] == [("s", last_ms + 10_000)]
    assert [row["status"] for row in results(tasks, ALERTS)] == ["open"]
    tasks = live(*bad, until_s=40)
    opened, closed = results(tasks, ALERTS)
    assert (opened["status"], closed["status"], closed["reasons"]) == ("open", "closed", ["no reports"])
    assert closed["at_ms"] == START_MS + 32_000


def test_in_a_replay_the_wall_clock_says_nothing():
    rows = [Row(0, START_MS, b"s", msgspec.json.encode(report(rebuffer_ms=900)))]
    tasks = tasks_for(rows, {}).run()
    tasks.wall_ms = 10 * START_MS
    for id_ in tasks.specs:
        tasks.round(id_, 1)
    assert tasks.read(DROPOFFS) == []
