"""The run as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..results import Alert, Anomaly, Dropoff, PlaceQuality
from .board import Board
from .latency import Histogram
from .scene import Scene

T = TypeVar("T")

FIXED_LINES: Final = 12
WIDE: Final = 96


def frame(board: Board, scene: Scene, console: Console) -> RenderableType:
    """One picture, as high as the terminal less a line."""
    room = max(6, console.height - 1 - FIXED_LINES)
    alerts = max(2, room * 3 // 10)
    events = max(2, room * 3 // 10)
    clock = Clock(scene.start_ms)
    falls, dropoffs = _latest(_falls(board), events), _latest(board.dropoffs, events)
    return Group(
        _title(scene, console.width),
        _figures(board, scene),
        _latency(board.latency, board.counts["dead_letters"]),
        Text(),
        _places(board.worst(max(2, room - alerts - events)), board, room - alerts - events, wide=console.width >= WIDE),
        Text(),
        _headed("alerts", [alert_line(alert, clock) for alert in _latest(board.alerts, alerts)], alerts),
        Text(),
        _side_by_side(
            _headed("streams that fell", [_anomaly(one, clock) for one in falls], events),
            _headed("viewers who dropped off", [_dropoff(one, clock) for one in dropoffs], events),
        ),
        _foot(scene),
    )


class Clock:
    """Event time as minutes and seconds of the match.

    >>> Clock(1_000)(64_000)
    '1:03'
    """

    def __init__(self, start_ms: int) -> None:
        self._start_ms = start_ms

    def __call__(self, at_ms: int) -> str:
        seconds = max(0, at_ms - self._start_ms) // 1000
        return f"{seconds // 60}:{seconds % 60:02}"


def alert_line(alert: Alert, clock: Clock) -> Text:
    """An alert that opens or closes."""
    place = f"{alert.location} / {alert.cdn}"
    if alert.status == "open":
        return Text.assemble(
            (f"{clock(alert.at_ms):>6} ", "dim"),
            ("opened ", "bold red"),
            f"{place:<28} ",
            (", ".join(alert.reasons), "red"),
        )
    lasted_s = (alert.at_ms - alert.opened_ms) / 1000
    said = "back" if alert.reasons == ("back",) else ", ".join(alert.reasons)
    return Text.assemble(
        (f"{clock(alert.at_ms):>6} ", "dim"),
        ("closed ", "bold green"),
        f"{place:<28} ",
        (f"{said} after {lasted_s:.0f} s", "green"),
    )


def _title(scene: Scene, width: int) -> Text:
    left = Text("Millstream  ", "bold") + Text("bad quality of service, as it happens", "not bold")
    right = Text(f"{scene.phase}  {Clock(scene.start_ms)(scene.start_ms + scene.passed_ms)}", "bold cyan")
    left.pad_right(max(2, width - left.cell_len - right.cell_len))
    return left + right


def _figures(board: Board, scene: Scene) -> Text:
    counts = board.counts
    parts: list[tuple[str, str]] = [
        (f"{scene.records_per_s:,.0f}", "bold"),
        (" records/s   ", "dim"),
        (f"{scene.sent:,}", "bold"),
        (" reports   ", "dim"),
        (f"{len(board.open_alerts)}", "bold red" if board.open_alerts else "bold"),
        (f" of {counts['opened']} alerts open   ", "dim"),
        (f"{counts['fell']}", "bold"),
        (" falls   ", "dim"),
        (f"{counts['dropoffs']}", "bold"),
        (" drop-offs", "dim"),
    ]
    return Text.assemble(*parts)


def _latency(latency: Histogram, dead_letters: int) -> Text:
    p50, p99 = latency.quantile(0.5), latency.quantile(0.99)
    shown = ("nothing yet", "nothing yet") if p50 is None or p99 is None else (_duration(p50), _duration(p99))
    line = Text.assemble(
        ("from report to result: p50 ", "dim"), (shown[0], "bold"), ("   p99 ", "dim"), (shown[1], "bold")
    )
    if dead_letters:
        line.append(f"   {dead_letters:,}", "bold").append(" malformed", "dim")
    return line


def _duration(ms: float) -> str:
    return f"{ms:,.0f} ms" if ms < 10_000 else f"{ms / 1000:,.1f} s"


def _places(rows: list[PlaceQuality], board: Board, lines: int, *, wide: bool) -> RenderableType:
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("worst places", ratio=3, no_wrap=True)
    for name in ("reports", "bad"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Mbit/s of", justify="right", no_wrap=True)
    table.add_column("start of", justify="right", no_wrap=True)
    table.add_column("stalls of", justify="right", no_wrap=True)
    if wide:
        table.add_column("bitrate", justify="right", no_wrap=True)
    table.add_column("", ratio=2, no_wrap=True)
    for row in rows:
        cells = [*_cells(row), Text("alert", "bold red") if row.alert_open else Text("")]
        if wide:
            cells.insert(-1, Text(f"{row.figures.bitrate_kbps / 1000:.1f}"))
        table.add_row(*cells, style="" if row.alert_open else "dim" if not row.figures.bad_reports else "")
    for _ in range(lines - len(rows)):
        table.add_row("")
    return table


def _cells(row: PlaceQuality) -> Iterator[Text]:
    figures, promised = row.figures, row.benchmark
    yield Text(f"{row.location} / {row.cdn}", "bold" if row.alert_open else "")
    yield Text(f"{figures.reports}")
    yield Text(f"{figures.bad_share:.0%}", _colour(figures.bad_share, 0.15, 0.3))
    short = 1 - figures.throughput_kbps / promised.throughput_kbps
    yield Text(
        f"{figures.throughput_kbps / 1000:.1f} {promised.throughput_kbps / 1000:>4.1f}", _colour(short, 0.4, 0.5)
    )
    if figures.starts:
        over = figures.startup_ms / promised.startup_ms
        yield Text(f"{figures.startup_ms / 1000:.1f} {promised.startup_ms / 1000:>3.1f} s", _colour(over, 1.5, 2.0))
    else:
        yield Text(f"- {promised.startup_ms / 1000:>3.1f} s")
    stalls = figures.rebuffer_ratio
    yield Text(f"{stalls:.1%} {promised.rebuffer_ratio:>5.1%}", _colour(stalls - promised.rebuffer_ratio, 0.05, 0.1))


def _colour(value: float, notable: float, bad: float) -> str:
    return "red" if value > bad else "yellow" if value > notable else ""


def _headed(title: str, lines: list[Text], height: int) -> RenderableType:
    grid = Table.grid(expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_row(Text(title, "bold"))
    for line in lines:
        grid.add_row(line)
    for _ in range(height - len(lines)):
        grid.add_row("")
    return grid


def _side_by_side(left: RenderableType, right: RenderableType) -> RenderableType:
    grid = Table.grid(expand=True, padding=(0, 2, 0, 0))
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(left, right)
    return grid


def _falls(board: Board) -> list[Anomaly]:
    return [anomaly for anomaly in board.anomalies if anomaly.status == "fell"]


def _anomaly(anomaly: Anomaly, clock: Clock) -> Text:
    return Text.assemble(
        (f"{clock(anomaly.at_ms):>6} ", "dim"),
        f"{anomaly.session} ",
        (f"{anomaly.usual_kbps / 1000:.1f} to {anomaly.throughput_kbps / 1000:.1f} Mbit/s ", "yellow"),
        (f"{anomaly.location} / {anomaly.cdn}", "dim"),
    )


def _dropoff(dropoff: Dropoff, clock: Clock) -> Text:
    return Text.assemble(
        (f"{clock(dropoff.at_ms):>6} ", "dim"),
        f"{dropoff.session} ",
        (f"{dropoff.reason} ", "yellow"),
        (f"{dropoff.location} / {dropoff.cdn}", "dim"),
    )


def _foot(scene: Scene) -> RenderableType:
    if scene.share is None:
        return Text("Ctrl-C ends the match", "dim")
    grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True)
    grid.add_row(ProgressBar(total=1.0, completed=scene.share), Text(f"{scene.share:.0%}   Ctrl-C ends it", "dim"))
    return grid


def _latest(items: Iterable[T], count: int) -> list[T]:
    return list(items)[-count:][::-1]
