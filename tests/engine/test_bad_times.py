"""Records whose own timestamp is negative: the three extractors that Kafka Streams has for them (rules T2, T3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import millstream as ms
from millstream.engine import EngineSettings
from millstream.errors import ConfigError, ProcessingError
from millstream.model import TopicPartition
from tests.engine.tasks import Plan, Row, batch_of

SOURCE = TopicPartition("in", 0)


def times(
    own: list[int], *, time: Callable[..., int] | None = None, cut: int | None = None, **settings: Any
) -> tuple[list[int], int, int | None]:
    """The timestamps that come out, how many were dropped, and the offset to go on from."""
    app = ms.App("app")
    app.stream("in", value=str, time=time).to("out")
    plan = Plan(app, {"in": 1, "out": 1}, settings=EngineSettings(**settings))
    task, outbox = plan.only_task()
    rows = [Row(b"k", b"v", stamp) for stamp in own]
    size = cut or len(rows)
    for first in range(0, len(rows), size):
        task.add(batch_of(SOURCE, rows[first : first + size], first))
    task.caught_up(SOURCE, len(rows))
    try:
        while task.process(max_rows=100, up_to_ms=None, wall_ms=0):
            pass
    finally:
        found = [stamp for batch in outbox.drain() for stamp in batch.timestamps]
        times.found = found  # type: ignore[attr-defined]
    offset = task.positions().get(SOURCE, (None, ""))[0]
    return found, task.metrics.dropped, offset


@pytest.mark.parametrize("cut", [None, 1, 2])
def test_they_are_skipped(cut: int | None) -> None:  # T2
    assert times([5, -1, 3], on_bad_time="skip", cut=cut) == ([5, 3], 1, 3)


@pytest.mark.parametrize("cut", [None, 1, 2])
def test_they_take_the_partitions_time(cut: int | None) -> None:  # T2
    assert times([5, -1, 3, -1, 9, -1], on_bad_time="partition_time", cut=cut) == ([5, 5, 3, 5, 9, 9], 0, 6)


@pytest.mark.parametrize("cut", [None, 1, 2])
def test_by_default_they_stop_the_task_with_their_place_and_what_to_do(cut: int | None) -> None:  # T2
    with pytest.raises(ProcessingError, match=r"in-0 offset 1: its timestamp is -1; .* set on_bad_time=") as stopped:
        times([5, -1, 3], cut=cut)
    assert times.found == [5]  # type: ignore[attr-defined]
    assert __file__.rpartition("/")[2] in str(stopped.value), "the line of the source"


def test_without_a_partition_time_there_is_none_to_take() -> None:  # T2: fatal
    with pytest.raises(ProcessingError, match="offset 0: its timestamp is -1"):
        times([-1, 5], on_bad_time="partition_time")


@pytest.mark.parametrize("policy", ["fail", "skip", "partition_time"])
def test_a_negative_time_of_ones_own_function_drops_the_record(policy: str) -> None:  # T3
    assert times([5, 6, 7], time=lambda _k, _v, own, _p: -1 if own == 6 else own, on_bad_time=policy) == ([5, 7], 1, 3)


def test_the_setting_is_one_of_three() -> None:
    assert ms.App("a", on_bad_time="skip").settings.on_bad_time == "skip"
    with pytest.raises(ConfigError, match="on_bad_time='drop': give"):
        ms.App("a", on_bad_time="drop")
