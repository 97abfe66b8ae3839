"""What the demo makes of the results: counts, open alerts, the worst places, latency."""

from __future__ import annotations

import msgspec
from examples.qos.definitions import ALERTS, ANOMALIES, DEAD_LETTERS, DROPOFFS, LOCATIONS
from examples.qos.demo.board import Board
from examples.qos.demo.scene import Scene
from examples.qos.demo.summary import in_words, summary
from examples.qos.demo.view import Clock, alert_line, frame
from examples.qos.model import Place
from examples.qos.results import Alert, Anomaly, Dropoff, PlaceFigures, PlaceQuality
from msgspec.structs import replace
from rich.console import Console

from tests.qos.reports import BENCHMARK

START_MS = 1_000_000
FIGURES = PlaceFigures(
    reports=40,
    bad_reports=30,
    bad_share=0.75,
    bitrate_kbps=900.0,
    throughput_kbps=800.0,
    starts=2,
    startup_ms=4_000.0,
    rebuffer_ratio=0.2,
)
OPENED = Alert(
    status="open",
    location="Porto",
    cdn="meridian",
    at_ms=START_MS + 12_000,
    opened_ms=START_MS + 12_000,
    window_ms=START_MS + 10_000,
    reasons=("bad reports", "throughput"),
    figures=FIGURES,
    benchmark=BENCHMARK,
)
CLOSED = replace(OPENED, status="closed", at_ms=START_MS + 59_000, reasons=("back",))
FELL = Anomaly("fell", "s1", "Porto", "meridian", START_MS + 9_000, START_MS + 5_000, 300, 9_000, -4.0)
DROPPED = Dropoff("s2", "Porto", "meridian", START_MS + 20_000, START_MS + 10_000, "rebuffering", 3, 3)


def quality(location: str = "Porto", window_ms: int = 10_000, at_ms: int = 12_000, **changes) -> PlaceQuality:
    return PlaceQuality(
        location=location,
        cdn="meridian",
        window_ms=START_MS + window_ms,
        last_report_ms=START_MS + at_ms,
        alert_open=changes.pop("alert_open", False),
        figures=replace(FIGURES, **changes),
        benchmark=BENCHMARK,
    )


def board_with(*results: tuple[str, object, float]) -> Board:
    board = Board(lambda event_ms: float(event_ms))
    for topic, result, late_ms in results:
        at_ms = getattr(result, "last_report_ms", None) or getattr(result, "at_ms", START_MS)
        board.take(topic, msgspec.json.encode(result), at_ms + late_ms)
    return board


def test_counts_and_what_is_open():
    board = board_with((ALERTS, OPENED, 30), (ANOMALIES, FELL, 5), (DROPOFFS, DROPPED, 5), (DEAD_LETTERS, "?", 0))
    assert list(board.open_alerts) == [Place(cdn="meridian", location="Porto")]
    told = summary(board, Scene(sent=500), 2.0, complete=True)
    assert (told.reports, told.alerts, told.anomalies, told.dropoffs, told.dead_letters) == (500, 1, 1, 1, 1)
    assert told.records_per_s == 250
    assert list(in_words(told, board))[:4] == [
        "500 reports in 2.0 s: 250 a second",
        "1 alerts opened, 0 closed",
        "1 anomalies: 1 streams fell, 0 recovered",
        "1 viewers dropped off: 1 rebuffering",
    ]
    board.take(ALERTS, msgspec.json.encode(CLOSED), 0.0)
    assert not board.open_alerts


def test_latency_is_of_places_and_of_alerts_that_a_report_told():
    silent = replace(CLOSED, reasons=("no reports",))
    board = board_with(
        (ALERTS, OPENED, 30), (ALERTS, silent, 9_000), (LOCATIONS, quality(), 10), (DROPOFFS, DROPPED, 5)
    )
    assert board.latency.count == 2
    told = summary(board, Scene(sent=1), 1.0, complete=True)
    assert told.latency_p50_ms is not None
    assert told.latency_p99_ms is not None
    assert abs(told.latency_p50_ms - 10) < 0.3
    assert abs(told.latency_p99_ms - 30) < 0.7


def test_nothing_seen_is_no_latency():
    told = summary(Board(lambda _: None), Scene(), 0.0, complete=False)
    assert (told.latency_p50_ms, told.records_per_s, told.alerts) == (None, 0.0, 0)


def test_the_worst_place_is_first_and_an_alert_before_all():
    bad, worse = quality("Oslo", bad_share=0.5), quality("Rome", bad_share=0.9)
    alerted = quality("Graz", bad_share=0.1, alert_open=True)
    old = quality("Nice", at_ms=-40_000, bad_share=1.0)
    board = board_with(*((LOCATIONS, row, 0) for row in (bad, old, worse, alerted)))
    assert [row.location for row in board.worst(5)] == ["Graz", "Rome", "Oslo"]


def test_a_window_that_has_just_begun_does_not_hide_the_one_before():
    board = board_with((LOCATIONS, quality(), 0), (LOCATIONS, quality(window_ms=20_000, at_ms=20_100, reports=3), 0))
    assert [row.figures.reports for row in board.worst(1)] == [40]
    board.take(LOCATIONS, msgspec.json.encode(quality(window_ms=20_000, at_ms=20_900, reports=10)), 0.0)
    assert [row.figures.reports for row in board.worst(1)] == [10]


def test_a_frame_fits_the_terminal():
    many = [quality(f"City {n}", alert_open=n < 9) for n in range(40)]
    board = board_with(
        *((LOCATIONS, row, 20) for row in many),
        *((ALERTS, alert, 20) for alert in (OPENED, CLOSED) * 20),
        *((ANOMALIES, FELL, 20) for _ in range(30)),
        *((DROPOFFS, DROPPED, 20) for _ in range(30)),
        (DEAD_LETTERS, "?", 0),
    )
    for width, height in ((80, 24), (100, 30), (160, 50)):
        for length_ms in (None, 60_000):
            scene = Scene("live", START_MS, length_ms, sent=1_234_567, sent_ms=START_MS + 30_000)
            console = Console(width=width, height=height, force_terminal=True, color_system=None)
            with console.capture() as capture:
                console.print(frame(board, scene, console))
            lines = capture.get().splitlines()
            assert len(lines) < height
            assert max(map(len, lines)) <= width
            text = "\n".join(lines)
            for word in (
                "City 1",
                "opened",
                "closed",
                "s1 9.0 to 0.3 Mbit/s",
                "s2 rebuffering",
                "1,234,567",
                "1 malformed",
            ):
                assert word in text
            assert ("Ctrl-C ends the match" in text) is (length_ms is None)
            assert ("50%" in text) is (length_ms is not None)


def test_an_alert_in_one_line():
    clock = Clock(START_MS)
    assert alert_line(OPENED, clock).plain.split() == [
        "0:12",
        "opened",
        "Porto",
        "/",
        "meridian",
        "bad",
        "reports,",
        "throughput",
    ]
    assert alert_line(CLOSED, clock).plain.split() == [
        "0:59",
        "closed",
        "Porto",
        "/",
        "meridian",
        "back",
        "after",
        "47",
        "s",
    ]


def test_the_rate_is_of_the_last_two_seconds():
    scene = Scene()
    for number in range(100):
        scene.count(number * number, number * 100.0)
    assert abs(scene.records_per_s - (99**2 - 79**2) / 2) < 60
