"""Two computations from the same definitions, one record by record, one in batches, agree exactly."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import msgspec
import pytest
from examples.qos import replay, simulator
from examples.qos.model import place_key
from examples.qos.offline import Expected, expected
from examples.qos.schedule import Row, whole
from examples.qos.source import Event

from tests.qos.reports import BENCHMARK, report
from tests.qos.streaming import Streaming
from tests.shared import LUMOS

START_MS = 1_700_000_000_000


def assert_agree(rows: list[Row], benchmarks, send_again: int = 0) -> Expected:
    streaming = Streaming(benchmarks, send_again).run(rows)
    batch = expected(rows, {cdn: msgspec.to_builtins(promised) for cdn, promised in benchmarks.items()})
    assert streaming.alerts() == batch.alerts
    assert streaming.anomalies() == batch.anomalies
    assert streaming.dropoffs() == batch.dropoffs
    assert streaming.dead_letters == batch.dead_letters
    return batch


def test_simulated_match():
    match = simulator.Match(seed=3, viewers=600, seconds=100, malformed=0.01)
    batch = assert_agree(list(whole(simulator.events(match), START_MS, 4)), simulator.CDNS)
    assert batch.dead_letters
    assert {alert["status"] for alert in batch.alerts} == {"open", "closed"}
    assert {anomaly["status"] for anomaly in batch.anomalies} >= {"fell", "recovered"}
    assert batch.dropoffs


@pytest.mark.shared
def test_real_reports():
    batch = assert_agree(list(whole(replay.events(LUMOS), START_MS, 4)), replay.BENCHMARKS)
    assert batch.reports == 48_870
    assert batch.dead_letters == 0
    assert {reason for alert in batch.alerts for reason in alert["reasons"]} >= {"bad reports", "throughput", "back"}
    assert {anomaly["status"] for anomaly in batch.anomalies} == {"fell", "recovered", "settled"}
    assert {dropoff["reason"] for dropoff in batch.dropoffs} >= {"rebuffering", "slow delivery"}


def test_a_match_that_starts_windows_later_gives_the_same_results_later():
    match = simulator.Match(seed=3, viewers=100, seconds=60)
    early = expected(whole(simulator.events(match), START_MS, 4), benchmarks_json())
    late = expected(whole(simulator.events(match), START_MS + 70_000, 4), benchmarks_json())
    shifted = [
        alert | {name: alert[name] - 70_000 for name in ("at_ms", "opened_ms", "window_ms")} for alert in late.alerts
    ]
    assert shifted == early.alerts
    assert replace(late, alerts=[], anomalies=[], dropoffs=[]) == replace(early, alerts=[], anomalies=[], dropoffs=[])


def test_partitions_that_go_back_in_time_are_refused():
    with pytest.raises(ValueError, match="client-reports-0 goes back to 5"):
        expected([Row(0, 9, None, None), Row(0, 5, None, None)], {})


def benchmarks_json():
    return {cdn: msgspec.to_builtins(promised) for cdn, promised in simulator.CDNS.items()}


MOODS = ("good", "good", "good", "slow", "stalled", "tiny", "starting")
LONG_STEPS_MS = (4_000, 9_999, 10_000, 10_001) * 8 + (31_000, 45_000, 600_000)


def some_match(random: Random) -> list[Event]:
    """A few sessions in two places, in spells of one mood, so that all that can be told is told sooner or later."""
    events: list[Event] = []
    numbers: Counter[str] = Counter()
    last_ms: dict[str, int] = {}
    now_ms = 0
    for _ in range(random.randint(1, 8)):
        mood, dense = random.choice(MOODS), random.choice((0.5, 0.9, 1.0))
        for _ in range(random.randint(1, 150)):
            session = random.choice("aaabbc")
            now_ms += random.randint(0, 400) if random.random() < dense else random.choice(LONG_STEPS_MS)
            now_ms = last_ms[session] = max(now_ms, last_ms.get(session, -1) + 1)
            value = report(
                session=session,
                location="Oslo" if session == "c" else "Porto",
                number=numbers[session],
                **fields_in(mood, random),
            )
            numbers[session] += 1
            place = place_key(value.location, value.cdn)
            events.append(Event(now_ms, place, session.encode(), msgspec.json.encode(value)))
    return events


def fields_in(mood: str, random: Random) -> dict[str, int]:
    match mood:
        case "slow":
            return {"throughput_kbps": random.randint(0, 4_000), "delivery_ms": random.randint(1_900, 5_000)}
        case "stalled":
            return {"rebuffer_ms": random.randint(1, 50_000)}
        case "tiny":
            return {"chunk_kbit": 5, "throughput_kbps": 20}
        case "starting":
            return {"startup_ms": random.randint(1, 6_000)}
    return {}


def test_any_match():
    told: Counter[str] = Counter()
    for seed in range(120):
        random = Random(seed)
        rows = list(whole(some_match(random), START_MS, random.randint(1, 3)))
        batch = assert_agree(rows, {"meridian": BENCHMARK}, send_again=random.randint(0, 20))
        told.update(reason for alert in batch.alerts for reason in alert["reasons"])
        told.update(anomaly["status"] for anomaly in batch.anomalies)
        told.update(f"dropped: {dropoff['reason']}" for dropoff in batch.dropoffs)
    assert {name for name, times in told.items() if times >= 5} == {
        *("bad reports", "throughput", "start-up", "rebuffering", "back", "no reports"),
        *("fell", "recovered", "settled"),
        *("dropped: rebuffering", "dropped: slow delivery", "dropped: slow start-up"),
    }
