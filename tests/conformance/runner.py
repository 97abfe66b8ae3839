"""Runs one case: builds its program, pipes its inputs, compares outputs, stores and errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millstream.engine import EngineSettings
from millstream.errors import MillstreamError, TopologyError
from millstream.plan.nodes import StoreType
from millstream.serde import Windowed, serde_for
from millstream.state import KeyValueStore, SessionRows, WindowRows
from millstream.testing import TestDriver
from tests.conformance.functions import Spec
from tests.conformance.program import UnsupportedStepError, build

WALL_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """`difference` is None when the case passed; `unsupported` names what is missing to run it."""

    name: str
    difference: str | None = None
    unsupported: str | None = None


class CaseDriver(TestDriver):
    """A record that stops the application has written nothing, as in Kafka Streams' test driver."""

    def _discard(self) -> None:
        super()._discard()
        self._outbox.drain()


def cases_in(folder: Path) -> Iterator[Spec]:
    """Every case of every `scenarios` and `random` folder below, in order."""
    for kind in ("scenarios", "random"):
        for path in sorted(folder.rglob(f"{kind}/*.json")):
            if path.parent.parent.name != "describe":
                yield from json.loads(path.read_text())


def run(case: Spec, store: StoreType = "memory") -> Verdict:
    """`store` is where stores keep their rows; on disk nothing is cached, so each look-up reads what was written."""
    name = case["name"]
    try:
        return Verdict(name, _difference(case, store))
    except UnsupportedStepError as step:
        return Verdict(name, unsupported=str(step))


def _difference(case: Spec, store: StoreType) -> str | None:
    expected = case.get("error")
    try:
        topology = build(case).topology()
    except TopologyError as error:
        return None if expected and expected["when"] == "build" else f"refused: {error}"
    if expected and expected["when"] == "build":
        return "built, though it must be refused"
    with CaseDriver(topology, settings=settings_of(case), wall_ms=WALL_MS, store=store, cache=0) as driver:
        for index, record in enumerate(case["inputs"]):
            try:
                pipe(driver, record)
            except MillstreamError as error:
                if expected and expected.get("input") == index:
                    break
                return f"input {index} {record}: {error}"
        else:
            if expected:
                return f"no error at input {expected['input']}"
        return _outputs_differ(driver, case) or _stores_differ(driver, case)


def settings_of(case: Spec) -> EngineSettings:
    config = case.get("config", {})
    decode = "skip" if config.get("deserialization_handler") == "continue" else "fail"
    interval_ms = config.get("emit_interval_ms", 0)
    return EngineSettings(on_decode_error=decode, retention_rule="kafka", emit_interval_ms=interval_ms)


def pipe(driver: TestDriver, record: Spec) -> None:
    if "advance_wall_clock_ms" in record:
        driver.advance_wall_clock(record["advance_wall_clock_ms"])
        return
    headers = tuple((name, value.encode()) for name, value in record.get("headers", ()))
    key = record.get("key")
    if "value_hex" in record:
        raw = None if key is None else serde_for(type(key), key=True).encode(key)
        value = bytes.fromhex(record["value_hex"])
        driver.pipe_bytes(record["topic"], value, key=raw, timestamp=record["timestamp"], headers=headers)
        return
    driver.pipe(record["topic"], record["value"], key=key, timestamp=record["timestamp"], headers=headers)


def _row(key: Any, value: Any, timestamp: int | None = None, headers: Any = ()) -> Spec:
    row: Spec = {"key": key.key if isinstance(key, Windowed) else key, "value": value}
    if timestamp is not None:
        row["timestamp"] = timestamp
    if isinstance(key, Windowed):
        row["window"] = {"start": key.window.start, "end": key.window.end}
    if headers:
        row["headers"] = [[name, None if text is None else text.decode()] for name, text in headers]
    return row


def _outputs_differ(driver: TestDriver, case: Spec) -> str | None:
    for topic, wanted in case["outputs"].items():
        got = [_row(*record) for record in driver.read(topic)]
        if got != wanted:
            at = next(
                (i for i, (a, b) in enumerate(zip(got, wanted, strict=False)) if a != b), min(len(got), len(wanted))
            )
            before = got[max(0, at - 2) : at]
            return f"{topic}, output {at}: got {got[at : at + 2]}, expected {wanted[at : at + 2]}; before: {before}"
    return None


def _stores_differ(driver: TestDriver, case: Spec) -> str | None:
    for name, wanted in case.get("stores", {}).items():
        got = _contents(driver.rows(name), wanted)
        if sorted(map(json.dumps, got)) != sorted(json.dumps(_ordered(row)) for row in wanted):
            return f"store {name}: got {got}, expected {wanted}"
    return None


def _ordered(row: Spec) -> Spec:
    return {field: row[field] for field in ("key", "value", "timestamp", "window") if field in row}


def _contents(rows: Any, wanted: list[Spec]) -> list[Spec]:
    timed = any("timestamp" in row for row in wanted)
    if isinstance(rows, WindowRows):
        return [_row(Windowed(key, rows.window(start)), *row[:2]) for start, key, row in rows.all()]
    if isinstance(rows, SessionRows):
        return [_row(session.windowed(), session.value) for session in rows.all()]
    store: KeyValueStore[Any, Any] = KeyValueStore(rows)
    return [_row(key, value, store.timestamp(key) if timed else None) for key, value in store.all()]
