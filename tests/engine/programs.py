"""Random programs over all the operators there are, and random records for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st

import millstream as ms
from millstream.dsl.program import Program
from millstream.serde.murmur2 import partition_for
from tests.engine.tasks import Row, Rows

Values = ms.Stream[Any, Any]

STATELESS = ("filter", "filter_not", "map_values", "select_key", "map", "flat_map", "flat_map_values", "peek", "fail")
STATEFUL = ("count", "reduce", "fold", "declare", "tumble", "hop", "process", "punctuate", "cogroup", "fixed_key")
KEEPING = ("keep_windows", "keep_sessions")
VERSIONS = ("keep_versions",)  # a changelog of versions is not compacted within the history (rule N1)
INNER_STREAM_JOINS = ("stream_join", "self_join")
OUTER_STREAM_JOINS = ("left_stream_join", "outer_stream_join")
JOINS = ("join", "left_join", "global_join", "left_global_join")
TABLES = ("table_group", "table_join", "outer_table_join")
VERSIONED_JOINS = ("versioned_join",)  # its changelog is not compacted either
WINDOWS = (
    "session",
    "slide",
    "forever",
    "close",
    "close_sessions",
    "close_sliding",
    "suppress",
    "limit",
    "late",
    "sketch",
)
SHAPES = ("merge", "to", "branch", "repartition", "split", "route")


class Totals(msgspec.Struct):
    n: int
    total: int
    largest: int | None
    latest: str | None


class Sketched(msgspec.Struct):
    different: int
    middle: float | None
    opened: int | None
    closed: str | None
    spread: list[int]


def number(value: Any) -> int:
    return int(value["n"]) if value is not None else 0


class Remembering:
    """Counts records per key in a store and forwards the count; may also report by stream time."""

    def __init__(self, store: str, *, punctual: bool) -> None:
        self._store = store
        self._punctual = punctual

    def init(self, context: ms.ProcessorContext) -> None:
        self.context = context
        self.store = context.get_state_store(self._store)
        if self._punctual:
            context.schedule(10, "stream-time", self.report)

    def process(self, record: ms.Message) -> None:
        key = record.key or "none"
        seen = self.store.put(key, (self.store.get(key) or 0) + 1) or self.store[key]
        if seen % 5 == 0:
            self.store.delete(key)
        place = self.context.record_metadata
        self.context.forward(record.with_value({"n": seen, "g": "p", "at": place.offset, "t": place.topic}))

    def report(self, now: int) -> None:
        for key, seen in self.store.all():
            self.context.forward(ms.Message(key, {"n": seen, "g": "t"}, now))


class Keeping:
    """Notes each record in a store of some kind, and tells what the store then has of its key."""

    def __init__(self, store: str) -> None:
        self._store = store

    def init(self, context: ms.ProcessorContext) -> None:
        self.context, self.kept = context, context.get_state_store(self._store)

    def process(self, record: ms.Message) -> None:
        key, n, at = record.key or "none", number(record.value), record.timestamp
        self.context.forward(record.with_value({"n": self.note(key, n, at), "g": "xyz"[n % 3]}))

    def note(self, key: str, n: int, at: int) -> int:
        match self.kept:
            case ms.WindowStore():
                start = at // 5 * 5
                self.kept.put(key, (self.kept.fetch(key, start) or 0) + n + 1, start)
                return sum(kept for _, kept in self.kept.fetch(key, at - 15, at))
            case ms.SessionStore():
                near = list(self.kept.find_sessions(key, at - 4, at + 4))
                for session, _ in near:
                    self.kept.remove(session)
                starts, ends = zip(*[(at, at), *(session.window for session, _ in near)], strict=True)
                total = n + 1 + sum(kept for _, kept in near)
                self.kept.put(ms.Windowed(key, ms.Window(min(starts), max(ends))), total)
                return total
            case _:
                self.kept.put(key, None if n == 7 else n, at)
                return sum(version.value + 1 for version in self.kept.history(key))


class Building:
    """One program under construction: the streams so far; each step replaces or adds one."""

    def __init__(self, emit: Any) -> None:
        self.app = ms.App("app", emit=emit)
        self.streams: list[Values] = [self.app.stream("a"), self.app.stream("b", time=_time)]
        self.table = self.app.table("t")
        self.places = self.app.global_table("g")
        self.count = 0

    def step(self, kind: str, which: int) -> None:
        at = which % len(self.streams)
        self.count += 1
        stream = self.streams[at]
        made = getattr(self, kind)(stream) if hasattr(self, kind) else STEPS[kind](stream)
        if kind == "branch":
            self.streams.append(made)
        elif made is not None:
            self.streams[at] = made

    def finish(self) -> Program:
        for stream in self.streams:
            self.to(stream)
        return self.app

    def to(self, stream: Values) -> None:
        stream.to(f"out{self.count % 2}")

    def branch(self, stream: Values) -> Values:
        return stream.map_values(lambda v: v and {**v, "b": 1})

    def merge(self, stream: Values) -> Values:
        return stream.merge(self.streams[-1])

    def repartition(self, stream: Values) -> Values:
        return stream.repartition(name=f"r{self.count}")

    # --- aggregations: back to str keys and dict values

    def _grouped(self, stream: Values) -> ms.GroupedStream[Any, Any]:
        return stream.group_by(lambda v: v and v["g"], name=f"g{self.count}")

    def _numbers(self, table: ms.Table[Any, Any]) -> Values:
        return table.to_stream().map_values(lambda n: None if n is None else {"n": n, "g": "xyz"[n % 3]})

    def count_(self, stream: Values) -> Values:
        return self._numbers(self._grouped(stream).count())

    def reduce(self, stream: Values) -> Values:
        reduced = self._grouped(stream).reduce(lambda a, v: None if v["n"] == 7 else {**a, "n": a["n"] + v["n"]})
        return reduced.to_stream()

    def fold(self, stream: Values) -> Values:
        folded = self._grouped(stream).aggregate(
            initializer=lambda: 0, aggregator=lambda _key, v, total: total + number(v), value=int
        )
        return self._numbers(folded)

    def declare(self, stream: Values) -> Values:
        return self._totals(self._grouped(stream)).to_stream().map_values(_as_value)

    def tumble(self, stream: Values) -> Values:
        return self._unwindowed(self._totals(self._grouped(stream).windowed_by(ms.tumbling(10, grace=5))))

    def hop(self, stream: Values) -> Values:
        table = self._grouped(stream).windowed_by(ms.hopping(12, advance=5, grace=3)).count()
        return self._unwindowed(table)

    def _totals(self, grouped: ms.GroupedStream[Any, Any]) -> ms.Table[Any, Any]:
        return grouped.aggregate(Totals, n=ms.count(), total=ms.sum("n"), largest=ms.max("n"), latest=ms.last("g"))

    def _unwindowed(self, table: ms.Table[Any, Any]) -> Values:
        stream = table.to_stream()
        stream.to("windows", value=Any)
        return stream.map(lambda k, v: (f"{k.key}@{k.window.start}", _as_value(v)))

    def session(self, stream: Values) -> Values:
        return self._unwindowed(self._totals(self._grouped(stream).windowed_by(ms.session(4, grace=3))))

    def slide(self, stream: Values) -> Values:
        return self._unwindowed(self._totals(self._grouped(stream).windowed_by(ms.sliding(7, grace=3))))

    def forever(self, stream: Values) -> Values:
        return self._unwindowed(self._grouped(stream).windowed_by(ms.unlimited(start=20)).count())

    def close(self, stream: Values) -> Values:
        windows = self._grouped(stream).windowed_by(ms.hopping(10, advance=5, grace=3))
        return self._unwindowed(self._totals(windows.emit_on_close()))

    def close_sessions(self, stream: Values) -> Values:
        return self._unwindowed(self._totals(self._grouped(stream).windowed_by(ms.session(3)).emit_on_close()))

    def close_sliding(self, stream: Values) -> Values:
        windows = self._grouped(stream).windowed_by(ms.sliding(4, grace=2))
        return self._unwindowed(windows.emit_on_close().count())

    def suppress(self, stream: Values) -> Values:
        table = self._totals(self._grouped(stream).windowed_by(ms.session(5, grace=2)))
        return self._unwindowed(table.suppress(ms.until_window_closes()))

    def late(self, stream: Values) -> Values:
        counts = self._grouped(stream).windowed_by(ms.hopping(6, advance=4)).count()
        counts.to_stream().to("windows")
        return counts.late()

    def sketch(self, stream: Values) -> Values:
        numbers = (
            self._grouped(stream)
            .windowed_by(ms.session(6, grace=4))
            .aggregate(
                Sketched,
                different=ms.approx_count_distinct(lambda v: v["n"], precision=4),
                middle=ms.quantile("n", 0.5),
                opened=ms.earliest("n"),
                closed=ms.latest("g"),
                spread=ms.histogram("n", [3, 6]),
            )
        )
        return self._unwindowed(numbers)

    def limit(self, stream: Values) -> Values:
        counts = self._grouped(stream).count()
        return self._numbers(counts.suppress(ms.until_time_limit(9, max_records=2, max_bytes=200)))

    # --- processors and joins

    def process(self, stream: Values) -> Values:
        name = f"p{self.count}"
        store = ms.key_value_store(name, value=int)
        return stream.process(lambda: Remembering(name, punctual=False), stores=[store])

    def punctuate(self, stream: Values) -> Values:
        name = f"p{self.count}"
        store = ms.key_value_store(name, value=int)
        return stream.process(lambda: Remembering(name, punctual=True), stores=[store])

    def join(self, stream: Values) -> Values:
        return stream.join(self.table, lambda v, row: {**v, "row": row["n"]}, name=f"j{self.count}")

    def left_join(self, stream: Values) -> Values:
        return stream.left_join(self.table, lambda v, row: {**v, "row": number(row)}, name=f"j{self.count}")

    def table_group(self, stream: Values) -> Values:
        rows = stream.to_table().filter(lambda v: number(v) % 4 != 3)
        groups = rows.group_by(lambda _, v: (v["g"], v), name=f"g{self.count}")
        sums = groups.aggregate(n=ms.count(), total=ms.sum("n"), all=ms.collect_list("n"))
        return self._numbers(sums.map_values(lambda sums: sums.total + len(sums.all)))

    def table_join(self, stream: Values) -> Values:
        return stream.to_table().join(self.table, _pair).to_stream()

    def outer_table_join(self, stream: Values) -> Values:
        return stream.to_table().outer_join(self.table, _pair).to_stream()

    def versioned_join(self, stream: Values) -> Values:
        rows = stream.to_table(store=f"v{self.count}", history=30)
        return self.streams[-1].left_join(rows, _pair, grace=8, name=f"j{self.count}")

    def stream_join(self, stream: Values) -> Values:
        window = ms.join_window(before=7, after=4, grace=5)
        return stream.join(self.streams[-1], _pair, window=window, name=f"j{self.count}")

    def self_join(self, stream: Values) -> Values:
        return stream.join(stream, _pair, window=ms.join_window(3), name=f"j{self.count}")

    def left_stream_join(self, stream: Values) -> Values:
        window = ms.join_window(5, grace=5)
        return stream.left_join(self.streams[-1], _pair, window=window, name=f"j{self.count}")

    def outer_stream_join(self, stream: Values) -> Values:
        window = ms.join_window(before=2, after=9)
        return stream.outer_join(self.streams[-1], _pair, window=window, name=f"j{self.count}")

    def cogroup(self, stream: Values) -> Values:
        groups = (self._grouped(stream), self.streams[-1].group_by(lambda v: v and v["g"], name=f"h{self.count}"))
        first = groups[0].cogroup(lambda v, total: total + number(v))
        both = first.cogroup(groups[1], lambda v, total: None if total > 60 else total - number(v))
        return self._numbers(both.aggregate(lambda: 50, value=int))

    def fixed_key(self, stream: Values) -> Values:
        def twice(record: ms.Message) -> Iterator[ms.Message]:
            yield record
            yield record.with_value({"n": 1, "g": "x"})

        return stream.process_values(twice)

    def keep_windows(self, stream: Values) -> Values:
        return self._keep(stream, ms.window_store(f"k{self.count}", 5, retention=20, value=int))

    def keep_sessions(self, stream: Values) -> Values:
        return self._keep(stream, ms.session_store(f"k{self.count}", retention=1000, value=int))

    def keep_versions(self, stream: Values) -> Values:
        return self._keep(stream, ms.versioned_store(f"k{self.count}", history=30, value=int))

    def _keep(self, stream: Values, store: Any) -> Values:
        return stream.process_values(lambda: Keeping(store.name), stores=[store])

    def split(self, stream: Values) -> Values:
        odd, rest = stream.branches(lambda v: number(v) % 2)
        return odd.map_values(lambda v: {**v, "odd": 1}).merge(rest)

    def route(self, stream: Values) -> Values:
        stream.to(lambda v: f"out{number(v) % 2}", partitioner=lambda _k, v, partitions: number(v) % partitions)
        return stream

    def global_join(self, stream: Values) -> Values:
        return stream.join(self.places, lambda v, row: {**v, "place": row["n"]}, key=lambda v: v["g"])

    def left_global_join(self, stream: Values) -> Values:
        return stream.left_join(self.places, lambda v, row: {**v, "place": number(row)}, key=lambda v: v["g"])


def _time(value: Any) -> int:
    return -1 if value is None else int(value.get("ts", 3))


def _as_value(value: Any) -> Any:
    match value:
        case Totals():
            return {"n": value.total, "g": value.latest or "x", "count": value.n, "max": value.largest}
        case Sketched():
            return {"n": value.different, "g": value.closed or "x", "middle": value.middle, "spread": value.spread}
        case int():
            return {"n": value, "g": "xyz"[value % 3]}
        case _:
            return value


def _pair(left: Any, right: Any) -> Any:
    return {"n": number(left) + number(right), "g": "xyz"[number(right) % 3], "alone": left is None or right is None}


def _fails(value: Any) -> Any:
    if number(value) % 5 == 4:
        raise ValueError("a four or a nine")
    return value


def _twice(key: Any, value: Any) -> Iterator[tuple[Any, Any]]:
    yield key, value
    if value is not None:
        yield value["g"], {**value, "n": value["n"] + 1}


STEPS: dict[str, Callable[[Values], Values]] = {
    "filter": lambda s: s.filter(lambda v: number(v) % 3 != 0),
    "filter_not": lambda s: s.filter_not(lambda k, v: k == "x" and v is None),
    "map_values": lambda s: s.map_values(lambda v: v and {**v, "n": v["n"] + 1}),
    "select_key": lambda s: s.select_key(lambda v: v and v["g"]),
    "map": lambda s: s.map(lambda k, v: (v and v["g"], v and {**v, "from": k})),
    "flat_map": lambda s: s.flat_map(_twice),
    "flat_map_values": lambda s: s.flat_map_values(lambda v: [v] * (number(v) % 3)),
    "peek": lambda s: s.peek(lambda _: None),
    "fail": lambda s: s.map_values(_fails),
}

KEYS = ("x", "y", "z", "w")


def build(recipe: list[tuple[str, int]], emit: str, optimize: str = "none") -> Program:
    building = Building(emit)
    for kind, which in recipe:
        building.step("count_" if kind == "count" else kind, which)
    program = building.finish()
    program.optimize = optimize
    return program


def recipes(*kinds: str) -> st.SearchStrategy[list[tuple[str, int]]]:
    """One to five steps, of which at most two join streams: rows that meet in a third are millions."""
    return st.lists(st.tuples(st.sampled_from(kinds), st.integers(0, 3)), min_size=1, max_size=5).map(_bounded)


def _bounded(recipe: list[tuple[str, int]]) -> list[tuple[str, int]]:
    joins = [at for at, (kind, _) in enumerate(recipe) if kind in (*INNER_STREAM_JOINS, *OUTER_STREAM_JOINS)]
    return [step for at, step in enumerate(recipe) if at not in joins[2:]]


def records(random: Random, size: int) -> Rows:
    """Records whose time goes on, with some out of order, some null, some broken, some with headers."""
    return [_record(random, 2 * at + random.randrange(40)) for at in range(size)]


def _record(random: Random, timestamp: int) -> Row:
    key = random.choice((None, *KEYS))
    n = random.choice((None, *range(12)))
    value = None if n is None else {"n": n, "g": random.choice(KEYS), "ts": timestamp - 2}
    data = b"{broken" if n == 11 else None if value is None else json.dumps(value).encode()
    headers = (("h", b"1"),) if random.random() < 0.1 else ()
    return Row(None if key is None else key.encode(), data, timestamp, headers)


def spread(rows: Rows, partitions: int) -> list[Rows]:
    """By key, as a producer does it; null keys into the first."""
    parts: list[Rows] = [[] for _ in range(partitions)]
    for row in rows:
        parts[0 if row.key is None else partition_for(row.key, partitions)].append(row)
    return parts
