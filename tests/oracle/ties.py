"""Which of several records with the smallest timestamp comes first is chance in Kafka Streams (rule T6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest import mock

from millstream.engine.inputs import PartitionInput, Run, TaskInputs
from millstream.errors import MillstreamError
from tests.conformance.program import build
from tests.conformance.runner import WALL_MS, CaseDriver, pipe, settings_of
from tests.oracle.kafka_streams import Case

ORDERS = 6


def depends_on_order(case: Case, topics: Iterable[str]) -> bool:
    """Whether Millstream's own answer to a case is another one where other partitions win ties."""
    answers: list[Any] = []
    for seed in range(ORDERS):
        with _random_ties(seed):
            answers.append(_answer(case, topics))
    return any(answer != answers[0] for answer in answers)


@contextmanager
def _random_ties(seed: int) -> Iterator[None]:
    random = Random(seed)

    def next_run(inputs: TaskInputs, _max_rows: int, _up_to_ms: int | None) -> tuple[PartitionInput, Run] | None:
        heads = [(time, item) for item in inputs.by_partition.values() if (time := item.head()) is not None]
        if not heads:
            return None
        first = min(time for time, _ in heads)
        best = random.choice([item for time, item in heads if time == first])
        return best, best.run(1, None)

    with mock.patch.object(TaskInputs, "next_run", next_run):
        yield


def _answer(case: Case, topics: Iterable[str]) -> Any:
    """All that is written, and the input at which it stops."""
    stopped = None
    with CaseDriver(build(case).topology(), settings=settings_of(case), wall_ms=WALL_MS) as driver:
        for index, record in enumerate(case["inputs"]):
            try:
                pipe(driver, record)
            except MillstreamError:
                stopped = index
                break
        return stopped, [driver.read_bytes(topic) for topic in topics]
