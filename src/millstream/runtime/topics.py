"""The topics of an application: what must be there, and what the worker creates (rules X10, N1-N3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from millstream.client.contract import Admin, TopicSpec
from millstream.config import Settings
from millstream.errors import TopologyError
from millstream.plan.fingerprint import fingerprint
from millstream.plan.internal import Resolved, internal_topics
from millstream.plan.topology import Topology
from millstream.runtime.task_table import CONFIG, TaskTable


@dataclass(frozen=True, slots=True)
class Prepared:
    """Tasks, the application's own topics, and the partition count of every topic, also of those still to be created.

    `existing` are the counts as they were found.
    """

    resolved: Resolved
    table: TaskTable
    own: tuple[TopicSpec, ...]
    existing: Mapping[str, int]

    @property
    def counts(self) -> Mapping[str, int]:
        return {**self.existing, **{spec.name: spec.partitions for spec in self.own}}


def look_up(topology: Topology, settings: Settings, admin: Admin) -> Prepared:
    """Look the user's topics up and tell the application's own from them.

    Raises TopologyError for a missing or unfitting topic, BrokerUnavailableError when no broker answers.
    """
    limit_ms = settings.call_timeout_ms
    counts = admin.partition_counts(timeout_ms=limit_ms)
    if settings.create_missing_topics:
        admin.create_topics(_to_create(topology, settings, counts), timeout_ms=limit_ms)
        counts = admin.partition_counts(timeout_ms=limit_ms)
    resolved = internal_topics(
        topology,
        settings.application_id,
        counts,
        extra_retention_ms=settings.changelog_extra_retention_ms,
    )
    for name, where in _external_topics(topology, settings):
        if name not in counts:
            raise TopologyError(f"{where}: topic {name!r} does not exist; create it first")
    table = TaskTable.of(settings.application_id, fingerprint(topology), resolved.tasks)
    return Prepared(resolved, table, tuple(own_topics(resolved, table, settings)), counts)


def create(prepared: Prepared, settings: Settings, admin: Admin) -> None:
    """Create the application's own topics, unless they exist and fit."""
    refuse_unfitting(prepared.own, prepared.existing)
    missing = [spec for spec in prepared.own if spec.name not in prepared.existing]
    admin.create_topics(missing, timeout_ms=settings.call_timeout_ms)


def own_topics(resolved: Resolved, table: TaskTable, settings: Settings) -> list[TopicSpec]:
    """The application's internal topics, with the user's overrides."""
    specs = [
        TopicSpec(topic.name, topic.partitions, {**topic.config, **settings.topic}, settings.replication)
        for topic in resolved.topics
    ]
    return [*specs, TopicSpec(table.topic, len(table.tasks), CONFIG, settings.replication)]


def refuse_unfitting(own: Sequence[TopicSpec], counts: Mapping[str, int]) -> None:
    """An internal topic that exists with another number of partitions belongs to another shape of the program."""
    for spec in own:
        count = counts.get(spec.name, spec.partitions)
        if count != spec.partitions:
            raise TopologyError(
                f"internal topic {spec.name} has {count} partitions where the program now needs {spec.partitions}: a "
                "source topic's partitions have changed. Give the program a new application id, or delete its topics"
            )


def _external_topics(topology: Topology, settings: Settings) -> Iterator[tuple[str, str]]:
    """Topics of the user's, each with where the program speaks of it."""
    for sub in topology.subtopologies:
        for source in sub.sources:
            yield from ((topic, str(source.site)) for topic in source.topics if not source.internal)
        yield from ((sink.topic, str(sink.site)) for sink in sub.sinks if not sink.internal)
    yield from ((table.topic, str(table.site)) for table in topology.global_tables)
    if settings.dead_letters:
        yield settings.dead_letters, "dead_letters"


def _to_create(topology: Topology, settings: Settings, counts: Mapping[str, int]) -> list[TopicSpec]:
    names = dict.fromkeys(name for name, _ in _external_topics(topology, settings) if name not in counts)
    return [TopicSpec(name, settings.create_missing_topics, {}, settings.replication) for name in names]
