"""Programs with windows, and records for them, at any number of keys or rows: each in a steady state.

A program reads one topic, a record a millisecond. Whatever the number, a record finds and makes as much: windows and
gaps grow with the number of keys. Only how much the stores hold differs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import millstream as ms

BLOCK = 500  # records of a round and commit; no key comes twice in it, so that a commit is as large for few keys
HOT_KEYS = 4
LATE = 5  # one record in so many is late, where there are late ones
SOURCE, OUTPUT = "input", "output"
LEFT, RIGHT = 0, 1


class Block(NamedTuple):
    """Records of one round as columns."""

    keys: list[bytes]
    values: list[bytes]
    timestamps: list[int]


@dataclass(frozen=True, slots=True)
class Keyed:
    """A workload whose stores hold about as many rows as it is told. `hot`: a few keys hold all of them.

    `fills` and `measures` are how many records a steady state takes, and how many show it, for each row.
    """

    name: str
    what: str
    build: Callable[[ms.App, int], None]
    fills: int
    measures: int
    hot: bool = False
    late: bool = False

    def application(self, rows: int) -> ms.App:
        app = ms.App("keys", emit="every")
        self.build(app, rows)
        return app

    def blocks(self, rows: int, records: int, first: int, seed: int = 7) -> Iterator[Block]:
        """Records from the first on, by rounds."""
        pick = random.Random(seed + first)
        names = [b"k%08d" % number for number in range(HOT_KEYS if self.hot else rows)]
        values = [number.to_bytes(8, "big") for number in (LEFT, RIGHT)] * (BLOCK // 2)
        for start in range(first, first + records, BLOCK):
            times = list(range(start, start + BLOCK))
            if self.late:
                for at in range(0, BLOCK, LATE):
                    times[at] = max(times[at] - pick.randrange(rows), 0)
            keys = pick.choices(names, k=BLOCK) if self.hot else pick.sample(names, BLOCK)
            yield Block(keys, values, times)


def _sides(app: ms.App) -> tuple[ms.Stream[str, int], ms.Stream[str, int]]:
    records = app.stream(SOURCE, key=str, value=int)
    return records.filter(lambda side: side == LEFT), records.filter(lambda side: side == RIGHT)


def tumbling(app: ms.App, rows: int) -> None:
    windows = app.stream(SOURCE, key=str, value=int).group_by_key().windowed_by(ms.tumbling(2 * rows))
    windows.count().to_stream().to(OUTPUT)


def open_windows(app: ms.App, rows: int) -> None:
    """A window a millisecond long, and every one of them is open that a late record may still come for."""
    windows = app.stream(SOURCE, key=str, value=int).group_by_key().windowed_by(ms.tumbling(1, grace=rows))
    windows.emit_on_close().count().to_stream().to(OUTPUT)


def sessions(app: ms.App, rows: int) -> None:
    windows = app.stream(SOURCE, key=str, value=int).group_by_key().windowed_by(ms.session(rows * 7 // 10))
    windows.count().to_stream().to(OUTPUT)


def pair(left: int | None, right: int | None) -> int:
    return (left or 0) + (right or 0)


def joined(app: ms.App, rows: int) -> None:
    left, right = _sides(app)
    left.join(right, pair, window=ms.join_window(rows)).to(OUTPUT)


def hot_join(app: ms.App, rows: int) -> None:
    """Few partners by record, found among all the rows of its key."""
    left, right = _sides(app)
    left.join(right, pair, window=ms.join_window(1, grace=rows)).to(OUTPUT)


def hot_outer_join(app: ms.App, rows: int) -> None:
    """As `hot_join`; most rows wait for a partner as long as they may."""
    left, right = _sides(app)
    left.outer_join(right, pair, window=ms.join_window(1, grace=rows)).to(OUTPUT)


WORKLOADS = (
    Keyed("tumbling", "tumbling count, every key twice in a window", tumbling, 2, 2),
    Keyed("open", "tumbling count, emitted on close, one record in five late", open_windows, 2, 1, hot=True, late=True),
    Keyed("session", "session count, every second record begins one", sessions, 2, 1),
    Keyed("join", "stream-stream join, every second record finds a partner", joined, 2, 1),
    Keyed("hot", "the same with all rows in four keys, one record in five late", hot_join, 2, 1, hot=True, late=True),
    Keyed("hot-outer", "outer join of such streams", hot_outer_join, 2, 1, hot=True, late=True),
)
