"""Metrics for Prometheus, each declared once and made from a worker's snapshot when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector

from millstream.runtime import StandbyStatus, TaskStatus, WorkerStatus

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Figure(Generic[S]):
    """One metric: its name, its kind, what it tells, and how it is read. None is left out."""

    name: str
    kind: Literal["counter", "gauge"]
    doc: str
    value: Callable[[S], float | None]


WORKER: tuple[Figure[WorkerStatus], ...] = (
    Figure("millstream_records_total", "counter", "Records processed.", lambda s: s.records),
    Figure("millstream_fetched_bytes_total", "counter", "Bytes fetched, about.", lambda s: s.bytes),
    Figure(
        "millstream_dropped_total", "counter", "Records dropped by a rule, as those without a key.", lambda s: s.dropped
    ),
    Figure("millstream_late_total", "counter", "Records too late for their window.", lambda s: s.late),
    Figure("millstream_dead_letters_total", "counter", "Records sent to the dead letters.", lambda s: s.dead_letters),
    Figure("millstream_sent_total", "counter", "Records given to the producer.", lambda s: s.sent),
    Figure(
        "millstream_acknowledged_total", "counter", "Records that brokers have confirmed.", lambda s: s.acknowledged
    ),
    Figure("millstream_rounds_total", "counter", "Rounds that had records.", lambda s: s.rounds),
    Figure("millstream_commits_total", "counter", "Commits.", lambda s: s.commits),
    Figure("millstream_commit_seconds_total", "counter", "Time that commits took.", lambda s: s.commit_ms / 1000),
    Figure("millstream_restored_total", "counter", "Records that stores were restored from.", lambda s: s.restored),
    Figure("millstream_cache_bytes", "gauge", "Memory of live rows of stores on disk, about.", lambda s: s.cache_bytes),
    Figure("millstream_paused", "gauge", "1 while it is told to process nothing.", lambda s: int(s.paused)),
    Figure("millstream_tasks", "gauge", "Tasks held.", lambda s: len(s.tasks)),
    Figure("millstream_standbys", "gauge", "Standby copies kept of other workers' tasks.", lambda s: len(s.standbys)),
    Figure("millstream_ready", "gauge", "1 when there are tasks, and all of them run.", lambda s: int(s.ready)),
)

TASK: tuple[Figure[TaskStatus], ...] = (
    Figure("millstream_task_records_total", "counter", "Records processed.", lambda t: t.records),
    Figure("millstream_task_fetched_bytes_total", "counter", "Bytes fetched, about.", lambda t: t.bytes),
    Figure("millstream_task_lag", "gauge", "Records of its inputs that are not fetched yet.", lambda t: t.lag),
    Figure("millstream_task_buffered", "gauge", "Records fetched and not processed.", lambda t: t.buffered),
    Figure("millstream_task_buffered_bytes", "gauge", "Bytes of these, about.", lambda t: t.buffered_bytes),
    Figure("millstream_task_dropped_total", "counter", "Records dropped by a rule.", lambda t: t.dropped),
    Figure("millstream_task_late_total", "counter", "Records too late for their window.", lambda t: t.late),
    Figure(
        "millstream_task_dead_letters_total", "counter", "Records sent to the dead letters.", lambda t: t.dead_letters
    ),
    Figure("millstream_task_running", "gauge", "1 when it runs, 0 before.", lambda t: int(t.state == "running")),
    Figure("millstream_task_restored", "gauge", "Records that its stores were restored from.", lambda t: t.restored),
    Figure("millstream_task_to_restore", "gauge", "Records that its stores are restored from.", lambda t: t.to_restore),
)

STANDBY: tuple[Figure[StandbyStatus], ...] = (
    Figure("millstream_standby_lag", "gauge", "Records of its changelogs that a standby copy lacks.", lambda s: s.lag),
    Figure(
        "millstream_standby_records_total", "counter", "Records that a standby copy was kept with.", lambda s: s.rows
    ),
)

LATENCY = ("millstream_task_latency_seconds", "From a record's timestamp to its processing, looked at once a chunk.")
STORE_ROWS = ("millstream_store_rows", "Rows of a store, about; of those that tell without a walk through them.")


def exposition(application: str, status: Callable[[], WorkerStatus]) -> Callable[[], bytes]:
    """A function that gives the metrics of a worker, and of its process, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(WorkerCollector(application, status))
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)


class WorkerCollector(Collector):
    """Reads one snapshot for each question."""

    def __init__(self, application: str, status: Callable[[], WorkerStatus]) -> None:
        self._application = application
        self._status = status

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        for figure in WORKER:
            yield _family(figure, ["application"], [([self._application], status)])
        tasks = [([self._application, task.id], task) for task in status.tasks]
        for each in TASK:
            yield _family(each, ["application", "task"], tasks)
        copies = [([self._application, copy.id], copy) for copy in status.standbys]
        for of_copy in STANDBY:
            yield _family(of_copy, ["application", "task"], copies)
        latency = SummaryMetricFamily(*LATENCY, labels=["application", "task"])
        rows = GaugeMetricFamily(*STORE_ROWS, labels=["application", "task", "store"])
        for labels, task in tasks:
            latency.add_metric(labels, task.latency_count, task.latency_sum_ms / 1000)
            for store, size in task.stores.items():
                rows.add_metric([*labels, store], size)
        yield latency
        yield rows


def _family(figure: Figure[S], labels: list[str], found: Iterable[tuple[list[str], S]]) -> Metric:
    made = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
    family = made(figure.name, figure.doc, labels=labels)
    for values, of in found:
        value = figure.value(of)
        if value is not None:
            family.add_metric(values, value)
    return family
