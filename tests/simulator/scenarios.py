"""Programs that run in the simulator, what they are fed, and what must come of it, computed without the engine."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

import millstream as ms
from millstream.app import App
from millstream.serde.murmur2 import partition_for
from tests.simulator.schedule import WALL_BASE_MS

APP_ID = "app"
KEYS = [f"k{number}".encode() for number in range(6)]
ROWS = 60
FEED_MS = 2_500.0
WINDOW_MS, GRACE_MS = 1_000, 400


@dataclass(frozen=True, slots=True)
class Row:
    """To be written at a time of the simulation."""

    at_ms: float
    topic: str
    key: bytes
    value: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class Written:
    """A record as it stands in a log."""

    partition: int
    offset: int
    timestamp: int
    key: Any
    value: Any


class Logs(Protocol):
    """What stands in the topics at the end. `zombies`: somebody may have written who had lost its tasks."""

    exactly_once: bool
    zombies: bool
    every: bool

    def rows(self, topic: str) -> list[Written]: ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """`probes` are written when everything has calmed down. `check` gives what is wrong."""

    name: str
    topics: Mapping[str, int]
    build: Callable[[App], None]
    feed: Callable[[Random], list[Row]]
    probes: Callable[[], list[Row]]
    check: Callable[[Logs], Iterator[str]]

    def app(self, emit: str) -> App:
        app = App(APP_ID, emit=emit)
        self.build(app)
        return app


def partition_of(row: Row, partitions: int) -> int:
    return partition_for(row.key, partitions)


# --- what is fed


def _ids(chance: Random, topic: str = "in", count: int = ROWS) -> list[Row]:
    """Records with ids, at random times, their own times a little out of order."""
    times = sorted(chance.random() * FEED_MS for _ in range(count))
    rows = []
    for number, at_ms in enumerate(times):
        value = {"id": number, "g": chance.choice("abcd")}
        behind_ms = chance.randint(0, 300) if chance.random() < 0.9 else chance.randint(1_500, 3_000)
        stamp = WALL_BASE_MS + number * 60 - behind_ms
        rows.append(Row(at_ms, topic, chance.choice(KEYS), json.dumps(value).encode(), stamp))
    return rows


def _no_probes() -> list[Row]:
    return []


# --- what is compared


def by_key(rows: Sequence[Written]) -> dict[Any, list[Written]]:
    found: dict[Any, list[Written]] = defaultdict(list)
    for row in rows:
        found[row.key].append(row)
    return found


def first_of_each(ids: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(ids))


def _same(what: str, found: Sequence[int], expected: Sequence[int], logs: Logs) -> Iterator[str]:
    """Ids in their order, each once; at-least-once: each at least once, first ones in order."""
    if logs.exactly_once:
        if list(found) != list(expected):
            yield f"{what}: {_difference(found, expected)}"
    elif first_of_each(found) != list(expected):
        yield f"{what} (repeats left out): {_difference(first_of_each(found), expected)}"


def _difference(found: Sequence[int], expected: Sequence[int]) -> str:
    missing = [each for each in expected if each not in found]
    extra = [each for each in found if each not in expected]
    repeated = sorted({each for each in found if list(found).count(each) > 1})
    told = [f"{name} {ids}" for name, ids in (("missing", missing), ("foreign", extra), ("repeated", repeated)) if ids]
    return f"{'; '.join(told) or 'out of order'}: {list(found)} instead of {list(expected)}"


def _aggregates(logs: Logs, output: str, changelog: str, expected: Mapping[Any, list[int]]) -> Iterator[str]:
    """Lists of ids by key, as they grew in the output and as they are in the state."""
    out, state = by_key(logs.rows(output)), by_key(logs.rows(changelog))
    if foreign := (out.keys() | state.keys()) - expected.keys():
        yield f"keys that nobody wrote: {foreign}"
    for key, ids in expected.items():
        grown = [row.value for row in out.get(key, [])]
        if logs.zombies and not logs.exactly_once:
            # One who has lost its tasks may overwrite a changelog, as in Kafka Streams; no input goes by unseen.
            seen = {each for value in grown for each in value}
            if seen != set(ids):
                yield f"{output} of {key}: {sorted(set(ids) - seen)} never had an effect"
            continue
        yield from _same(f"the last {output} of {key}", grown[-1] if grown else [], ids, logs)
        last = state[key][-1].value if state.get(key) else []
        yield from _same(f"the state of {key}", last, ids, logs)
        if logs.exactly_once and logs.every and grown != [ids[: n + 1] for n in range(len(ids))]:
            yield f"{output} of {key} did not grow id by id: {grown}"
        if logs.exactly_once and not logs.every and not all(value == ids[: len(value)] for value in grown):
            yield f"{output} of {key} is no beginning of what it must be: {grown}"


# --- stateless


def _build_stateless(app: App) -> None:
    app.stream("in").filter(lambda v: v["id"] % 5 != 0).map_values(lambda v: {"id": v["id"], "seen": 1}).to("out")


def _check_stateless(logs: Logs) -> Iterator[str]:
    found = by_key(logs.rows("out"))
    expected = by_key([row for row in logs.rows("in") if row.value["id"] % 5 != 0])
    if foreign := found.keys() - expected.keys():
        yield f"keys that nobody wrote: {foreign}"
    for key, rows in expected.items():
        ids = [row.value["id"] for row in found.get(key, [])]
        yield from _same(f"out of {key}", ids, [row.value["id"] for row in rows], logs)


# --- aggregates: by the record's key, and by another one through a repartition topic


def _append(_key: Any, value: Any, ids: list[int]) -> list[int]:
    return [*ids, value["id"]]


def _build_counted(app: App) -> None:
    app.stream("in").group_by_key().aggregate(initializer=list, aggregator=_append, store="ids").to_stream().to("out")


def _check_counted(logs: Logs) -> Iterator[str]:
    expected = {key: [row.value["id"] for row in rows] for key, rows in by_key(logs.rows("in")).items()}
    yield from _aggregates(logs, "out", f"{APP_ID}-ids-changelog", expected)


def _build_repartitioned(app: App) -> None:
    (
        app.stream("in")
        .group_by(lambda v: v["g"], name="by-g")
        .aggregate(initializer=list, aggregator=_append, store="ids")
        .to_stream()
        .to("out")
    )


def _check_repartitioned(logs: Logs) -> Iterator[str]:
    """The order is that of the repartition topic, which has to have each record, and each partition's in order."""
    through = by_key(logs.rows(f"{APP_ID}-by-g-repartition"))
    wanted: dict[Any, list[Written]] = defaultdict(list)
    origin: dict[int, int] = {}
    for row in logs.rows("in"):
        wanted[row.value["g"]].append(row)
        origin[row.value["id"]] = row.partition
    expected: dict[Any, list[int]] = {}
    for key, rows in wanted.items():
        ids = [row.value["id"] for row in through.get(key, [])]
        expected[key] = ids if logs.exactly_once else first_of_each(ids)
        for partition in {row.partition for row in rows}:
            of_it = [each for each in ids if origin.get(each) == partition]
            inputs = [row.value["id"] for row in rows if row.partition == partition]
            yield from _same(f"the repartition topic's {key} of in-{partition}", of_it, inputs, logs)
    if logs.exactly_once or not logs.zombies:
        yield from _aggregates(logs, "out", f"{APP_ID}-ids-changelog", expected)
    else:
        yield from _aggregates(
            logs, "out", f"{APP_ID}-ids-changelog", {key: sorted(ids) for key, ids in expected.items()}
        )


# --- a stream with a table


def _build_joined(app: App) -> None:
    table = app.table("table", store="table")
    app.stream("in").join(table, lambda v, t: {"id": v["id"], "version": t["version"]}).to("out")


def _feed_joined(chance: Random) -> list[Row]:
    table = [Row(0, "table", key, b'{"version":0}', WALL_BASE_MS - 10_000) for key in KEYS]
    for number in range(12):
        at_ms = chance.random() * FEED_MS
        value = json.dumps({"version": number + 1}).encode()
        table.append(Row(at_ms, "table", chance.choice(KEYS), value, WALL_BASE_MS + round(at_ms)))
    rows = [Row(max(row.at_ms, 50), *_rest(row)) for row in _ids(chance)]
    return sorted([*table, *rows], key=lambda row: row.at_ms)


def _rest(row: Row) -> tuple[str, bytes, bytes, int]:
    return row.topic, row.key, row.value, row.timestamp


def _probes_joined() -> list[Row]:
    stamp = WALL_BASE_MS + 1_000_000
    return [Row(0, "in", key, json.dumps({"id": 1_000 + n}).encode(), stamp) for n, key in enumerate(KEYS)]


def _check_joined(logs: Logs) -> Iterator[str]:
    versions = {key: [row.value["version"] for row in rows] for key, rows in by_key(logs.rows("table")).items()}
    found = by_key(logs.rows("out"))
    for key, rows in by_key(logs.rows("in")).items():
        out = found.get(key, [])
        ids = [row.value["id"] for row in out]
        yield from _same(f"out of {key}", ids, [row.value["id"] for row in rows], logs)
        if foreign := {row.value["version"] for row in out} - set(versions[key]):
            yield f"out of {key} has versions of the table that never were: {foreign}"
        for row in out:
            if row.value["id"] >= 1_000 and row.value["version"] != versions[key][-1]:
                yield f"out of {key}: joined with {row.value['version']}, the table's last is {versions[key][-1]}"
        if logs.exactly_once:
            order = [versions[key].index(row.value["version"]) for row in out if row.value["version"] in versions[key]]
            if order != sorted(order):
                yield f"out of {key}: the table went back in time: {order}"


# --- windows, each emitted once when it is closed


def _build_windowed(app: App) -> None:
    (
        app.stream("in")
        .group_by_key()
        .windowed_by(ms.tumbling(f"{WINDOW_MS}ms", grace=f"{GRACE_MS}ms"))
        .aggregate(initializer=list, aggregator=_append, store="ids")
        .suppress(ms.until_window_closes())
        .to_stream(key=lambda key, _value: f"{key.key}@{key.window.start}")
        .to("out")
    )


def _probes_windowed() -> list[Row]:
    """One for each partition closes every window; its own stays open."""
    stamp = WALL_BASE_MS + 1_000_000
    return [Row(0, "in", key, json.dumps({"id": 1_000 + n}).encode(), stamp) for n, key in enumerate(KEYS)]


def _windows(logs: Logs) -> dict[str, list[int]]:
    """On-time ids by key and window of those that close, partition by partition (rules W5, W8)."""
    found: dict[str, list[int]] = {}
    stream_times: dict[int, int] = defaultdict(int)
    for row in logs.rows("in"):
        time = stream_times[row.partition] = max(stream_times[row.partition], row.timestamp)
        start = row.timestamp // WINDOW_MS * WINDOW_MS
        if start + WINDOW_MS + GRACE_MS > time and row.value["id"] < 1_000:
            found.setdefault(f"{row.key}@{start}", []).append(row.value["id"])
    return found


def _check_windowed(logs: Logs) -> Iterator[str]:
    expected = _windows(logs)
    found = by_key(logs.rows("out"))
    if foreign := found.keys() - expected.keys():
        yield f"windows that nobody wrote into: {foreign}"
    for name, ids in expected.items():
        results = [row.value for row in found.get(name, [])]
        if logs.exactly_once:
            if results != [ids]:
                yield f"window {name}: {results} instead of once {ids}"
            continue
        if foreign_ids := {each for value in results for each in value} - set(ids):
            yield f"window {name}: {results} instead of {ids}, with {foreign_ids}"
        elif logs.zombies:
            continue  # one who has lost its tasks may overwrite a window that nobody has seen yet
        elif not any(first_of_each(value) == ids for value in results):
            yield f"window {name}: {results}, none of them is {ids}"


STATELESS = Scenario("stateless", {"in": 3, "out": 2}, _build_stateless, _ids, _no_probes, _check_stateless)
COUNTED = Scenario("counted", {"in": 3, "out": 1}, _build_counted, _ids, _no_probes, _check_counted)
REPARTITIONED = Scenario(
    "repartitioned", {"in": 2, "out": 1}, _build_repartitioned, _ids, _no_probes, _check_repartitioned
)
JOINED = Scenario("joined", {"in": 2, "table": 2, "out": 2}, _build_joined, _feed_joined, _probes_joined, _check_joined)
WINDOWED = Scenario("windowed", {"in": 2, "out": 1}, _build_windowed, _ids, _probes_windowed, _check_windowed)
SCENARIOS = (STATELESS, COUNTED, REPARTITIONED, JOINED, WINDOWED)
