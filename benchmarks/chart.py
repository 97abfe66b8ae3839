"""A bar chart of CPU per record, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.results import Result

WIDTH, LEFT, RIGHT, TOP = 760, 70, 60, 76
BAR, BETWEEN_BARS, BETWEEN_GROUPS = 15, 3, 18


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a group; `us` is its length."""

    name: str
    color: str
    us: float


def chart(results: Sequence[Result], caption: str) -> str:
    """CPU microseconds per record of each workload: Kafka Streams whole and warm, Millstream. Shorter is better."""
    groups = [(result.workload.name, _bars(result)) for result in results]
    longest = max((bar.us for _, bars in groups for bar in bars), default=1.0)
    scale = (WIDTH - LEFT - RIGHT) / longest
    parts, y = [], float(TOP)
    for name, bars in groups:
        height = len(bars) * (BAR + BETWEEN_BARS) - BETWEEN_BARS
        parts.append(_text(LEFT - 10, y + height / 2 + 5, name, "end", bold=True))
        for bar in bars:
            parts.append(
                f'<rect x="{LEFT}" y="{y:.0f}" width="{bar.us * scale:.1f}" height="{BAR}" fill="{bar.color}"/>'
            )
            parts.append(_text(LEFT + bar.us * scale + 6, y + BAR - 3, f"{bar.us:.2f}"))
            y += BAR + BETWEEN_BARS
        y += BETWEEN_GROUPS
    legend = _legend(groups[0][1]) if groups else []
    head = [_text(LEFT, 22, "CPU microseconds per record (shorter is better)", bold=True), _text(LEFT, 42, caption)]
    return "\n".join([_opening(y), *head, *legend, *parts, "</svg>"]) + "\n"


def _bars(result: Result) -> list[Bar]:
    jvm, ours = result.jvm.cost, result.ours.cost
    return [
        Bar("Kafka Streams, whole run", "#c9ced6", jvm.cpu_us),
        Bar("Kafka Streams, second half", "#7d8796", jvm.cpu_us if jvm.late_cpu_us is None else jvm.late_cpu_us),
        Bar("Millstream, whole run", "#1f77b4", ours.cpu_us),
    ]


def _legend(bars: Sequence[Bar]) -> list[str]:
    parts = []
    for place, bar in enumerate(bars):
        x = LEFT + place * 210
        parts.append(f'<rect x="{x}" y="52" width="11" height="11" fill="{bar.color}"/>')
        parts.append(_text(x + 17, 62, bar.name))
    return parts


def _opening(height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'font-family="sans-serif" font-size="13" fill="#222">\n<rect width="100%" height="100%" fill="#fff"/>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'
