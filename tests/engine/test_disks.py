"""Random programs with stores on disk: the same answers as in memory, whatever is evicted, lost, or not yet written."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from millstream.plan.internal import TaskSpec
from tests.engine.programs import (
    INNER_STREAM_JOINS,
    JOINS,
    KEEPING,
    SHAPES,
    STATEFUL,
    STATELESS,
    TABLES,
    WINDOWS,
    recipes,
)
from tests.engine.replay import Files, FilesInMemory, Replay, RocksFiles, restore
from tests.engine.tasks import Log, Plan, one_record_rounds
from tests.engine.test_cuts import ALL, Recipe, contents, inputs_of_all_tasks, plan_of, told, topics_of

QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck)}

# as for restores in memory: punctuations begin anew after a restart, and so does the wait of rows without a partner
RESTORABLE = recipes(
    *STATELESS,
    *(kind for kind in STATEFUL if kind != "punctuate"),
    *KEEPING,
    *WINDOWS,
    *JOINS,
    *TABLES,
    *INNER_STREAM_JOINS,
    *SHAPES,
)
FORGETFUL = ("window", "session", "join-window", "versioned")
RUNS = (RESTORABLE, st.integers(0, 40), st.integers(1, 2), st.integers(0, 2**32))


def check(recipe: Recipe, size: int, partitions: int, seed: int, folder: Path | None) -> None:
    random = Random(seed)
    topics = topics_of(random, size)
    plan = plan_of(recipe, topics, partitions)
    for spec, inputs in inputs_of_all_tasks(plan, topics):
        whole = one_record_rounds(plan, spec, inputs)
        names = plan.on_disk(spec)
        files = FilesInMemory(names) if folder is None else RocksFiles(names, folder / str(spec.id))
        cut = Replay(plan, spec, inputs, random, files).run(restarts=True)
        expected, found = told(whole), told(cut)
        for target in (expected.keys() | found.keys()) - {target for target in expected if target.topic == "dlq"}:
            assert found.get(target) == expected.get(target)
        assert contents(plan, spec, cut.changelog) == contents(plan, spec, whole.changelog)
        lasting, logged = rows_in(plan, spec, files, Log()), rows_in(plan, spec, FilesInMemory(names), cut.changelog)
        kinds = {store.name: store.kind for store in plan.topology.subtopology(spec.id.subtopology).stores}
        for name in names:
            there, told_of = dict(lasting[name]), dict(logged[name])
            if (
                kinds[name] in FORGETFUL
            ):  # each forgets in pieces, and not at the same commit: what both have is the same
                there, told_of = (
                    {key: rows[key] for key in there.keys() & told_of.keys()} for rows in (there, told_of)
                )
            assert there == told_of


def rows_in(plan: Plan, spec: TaskSpec, files: Files, changelog: Log) -> dict[str, list[tuple[bytes, bytes]]]:
    """What local files have, once what they lack of a changelog is restored."""
    disk = files.opened()
    task = plan.task(spec, plan.outbox(), disk=disk)
    restore(task, changelog)
    task.start()
    found = {name: list(disk.store(name).scan(b"", None)) for name in disk.names}
    task.close()
    return found


@settings(max_examples=100, **QUIET)
@example([("process", 1), ("sketch", 1)], 31, 1, 3766)  # a very late record beside a session that was freed, or not
@given(*RUNS)
def test_on_disk_as_in_memory(recipe: Recipe, size: int, partitions: int, seed: int) -> None:
    check(recipe, size, partitions, seed, None)


@settings(max_examples=60, **QUIET)
@given(ALL, *RUNS[1:])
def test_cuts_on_disk_change_no_byte(recipe: Recipe, size: int, partitions: int, seed: int) -> None:
    """Without restarts, so that rows without a partner are there too."""
    random = Random(seed)
    topics = topics_of(random, size)
    plan = plan_of(recipe, topics, partitions)
    for spec, inputs in inputs_of_all_tasks(plan, topics):
        whole = one_record_rounds(plan, spec, inputs)
        cut = Replay(plan, spec, inputs, random, FilesInMemory(plan.on_disk(spec))).run()
        assert told(cut) == told(whole)
        assert cut.counted == whole.counted
        assert contents(plan, spec, cut.changelog) == contents(plan, spec, whole.changelog)


@settings(max_examples=10, **QUIET)
@given(*RUNS)
def test_in_rocksdb_as_in_memory(recipe: Recipe, size: int, partitions: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(recipe, size, partitions, seed, Path(folder))


@pytest.mark.nightly
@settings(max_examples=2_000, **QUIET)
@given(*RUNS)
def test_on_disk_as_in_memory_at_length(recipe: Recipe, size: int, partitions: int, seed: int) -> None:
    check(recipe, size, partitions, seed, None)


@pytest.mark.nightly
@settings(max_examples=200, **QUIET)
@given(*RUNS)
def test_in_rocksdb_as_in_memory_at_length(recipe: Recipe, size: int, partitions: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(recipe, size, partitions, seed, Path(folder))
