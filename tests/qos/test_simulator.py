"""The simulated match: the same for the same seed, in order, with viewers who fare as their network does."""

from __future__ import annotations

from itertools import islice, pairwise

import msgspec
from examples.qos.cities import CITIES
from examples.qos.incidents import incidents, turns
from examples.qos.model import Report
from examples.qos.player import Player
from examples.qos.simulator import CDNS, Match, events


def test_the_seed_says_everything():
    match = Match(seed=5, viewers=200, seconds=40, malformed=0.01)
    assert list(events(match)) == list(events(match))
    assert list(events(match)) != list(events(Match(seed=6, viewers=200, seconds=40, malformed=0.01)))


def test_reports_come_in_order_and_sessions_count_them():
    series: dict[bytes, list[tuple[int, Report]]] = {}
    last_ms = 0
    for event in events(Match(viewers=300, seconds=60, malformed=0)):
        assert last_ms <= event.offset_ms < 60_000
        last_ms = event.offset_ms
        report = msgspec.json.decode(event.value, type=Report)
        series.setdefault(event.key, []).append((event.offset_ms, report))
        assert event.key == report.session.encode()
    for reports in series.values():
        assert [report.number for _, report in reports] == list(range(len(reports)))
        assert all(a < b for (a, _), (b, _) in pairwise(reports))
        assert len({(report.location, report.cdn) for _, report in reports}) == 1
    assert len(series) > 300


def test_each_viewer_reports_about_every_chunk():
    steady = [event for event in events(Match(viewers=400, seconds=20)) if event.offset_ms >= 18_000]
    assert 150 < len(steady) < 300


def test_broken_reports_come_at_their_rate():
    broken = 0
    sent = list(events(Match(viewers=300, seconds=60, malformed=0.05)))
    for event in sent:
        try:
            msgspec.json.decode(event.value, type=Report)
        except msgspec.DecodeError:
            broken += 1
    assert 0.03 < broken / len(sent) < 0.07


def test_cities():
    assert len({city.name for city in CITIES}) >= 20
    assert all(-90 < city.latitude < 90 and -180 < city.longitude < 180 for city in CITIES)
    assert len(CDNS) >= 3


def test_incidents_follow_each_other():
    some = list(islice(incidents(7, ["north", "south"], ["a", "b"]), 50))
    assert all(one.end_ms < following.start_ms for one, following in pairwise(some))
    assert {(one.region, one.cdn) for one in some} == {(region, cdn) for region in ("north", "south") for cdn in "ab"}
    moments = list(islice(turns(7, ["north"], ["a"]), 6))
    assert [begins for _, _, begins in moments] == [True, False] * 3
    assert [at_ms for at_ms, _, _ in moments] == sorted(at_ms for at_ms, _, _ in moments)


def test_a_player_adapts_stalls_and_recovers():
    player = Player("v1", "Porto", "meridian", 10_000.0)
    good = [player.fetch(10_000.0, 1.0)[1] for _ in range(10)]
    assert good[-1].bitrate_kbps == 4_300
    assert good[0].startup_ms == good[0].delivery_ms
    assert sum(report.rebuffer_ms for report in good) == 0
    bad = [player.fetch(300.0, 1.0)[1] for _ in range(10)]
    assert bad[-1].bitrate_kbps == 300
    assert player.stalled_ms == sum(report.rebuffer_ms for report in bad) > 0
    assert max(report.delivery_ms for report in bad) <= 8_000
