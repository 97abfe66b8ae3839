"""Internal topics and tasks, once the partition counts of the existing topics are known (O7-O9, N1-N3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from millstream.errors import TopologyError
from millstream.model import TopicPartition
from millstream.plan.nodes import Node, Source, StoreSpec
from millstream.plan.topology import SubTopology, Topology
from millstream.plan.windows import FOREVER

_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")

REPARTITION_CONFIG = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "segment.bytes": "52428800",
    "message.timestamp.type": "CreateTime",
}


class TaskId(NamedTuple):
    """One partition of one sub-topology (rule X1).

    >>> str(TaskId(0, 3))
    '0_3'
    """

    subtopology: int
    partition: int

    def __str__(self) -> str:
        return f"{self.subtopology}_{self.partition}"


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What one task reads, and the changelog partition of each of its stores.

    `reused` are inputs that serve as the changelog of a store: it is restored from them up to what is committed (X7).
    """

    id: TaskId
    inputs: tuple[TopicPartition, ...]
    changelogs: Mapping[TopicPartition, str]
    reused: Mapping[TopicPartition, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InternalTopic:
    """A topic that the application needs and creates."""

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Every task, by (sub-topology, partition), and every internal topic."""

    tasks: tuple[TaskSpec, ...]
    topics: tuple[InternalTopic, ...]


def is_topic_name(name: str) -> bool:
    """Whether Kafka takes it as (a part of) a topic's name; 200 characters leave room for what goes around it."""
    return bool(_TOPIC_NAME.fullmatch(name)) and name not in (".", "..")


def is_name(name: str) -> bool:
    """Whether Kafka takes it as the name of a topic, and Kafka Streams as that of an operator.

    >>> is_name("qos-alerts"), is_name("qos alerts"), is_name("x" * 250), is_name("")
    (True, False, False, False)
    """
    return bool(_NAME.fullmatch(name)) and name not in (".", "..")


def internal_topic(app_id: str, name: str) -> str:
    return f"{app_id}-{name}"


def changelog_topic(app_id: str, store: str) -> str:
    return f"{app_id}-{store}-changelog"


def has_changelog(store: StoreSpec) -> bool:
    """Whether a store has a topic of its own to be restored from."""
    return store.logged and store.source_topic is None


def changelog_config(store: StoreSpec, extra_retention_ms: int) -> dict[str, str]:
    """Rule N1."""
    config = {"cleanup.policy": "compact", "message.timestamp.type": "CreateTime"}
    if store.kind == "versioned":
        config["min.compaction.lag.ms"] = str(store.history_ms + extra_retention_ms)
    if store.kind in ("window", "session"):
        retention = min(store.retention_ms + extra_retention_ms, FOREVER)
        config |= {"cleanup.policy": "compact,delete", "retention.ms": str(retention)}
    elif store.kind == "join-window":
        config |= {"cleanup.policy": "delete", "retention.ms": str(store.retention_ms + extra_retention_ms)}
    return config


def internal_topics(
    topology: Topology, app_id: str, counts: Mapping[str, int], *, extra_retention_ms: int = 86_400_000
) -> Resolved:
    """Resolve partition counts; pure.

    `counts` are the existing topics' partitions. Raises TopologyError where a source topic is missing (rule X10), and
    where topics that are joined have different counts.
    """
    known = _partition_counts(topology, counts)
    names = {name: internal_topic(app_id, name) for name in topology.repartition_topics}
    topics = [InternalTopic(names[name], known[name], REPARTITION_CONFIG) for name in names]
    tasks: list[TaskSpec] = []
    for sub in topology.subtopologies:
        width = max(known[topic] for topic in sub.source_topics)
        changelogs = {changelog_topic(app_id, store.name): store for store in sub.stores if has_changelog(store)}
        reused = {str(store.source_topic): store.name for store in sub.stores if store.source_topic is not None}
        topics += [
            InternalTopic(topic, width, changelog_config(store, extra_retention_ms))
            for topic, store in changelogs.items()
        ]
        for partition in range(width):
            inputs = tuple(
                TopicPartition(names.get(topic, topic), partition)
                for topic in sub.source_topics
                if partition < known[topic]
            )
            logs = {TopicPartition(topic, partition): store.name for topic, store in changelogs.items()}
            read = {source: reused[source.topic] for source in inputs if source.topic in reused}
            tasks.append(TaskSpec(TaskId(sub.index, partition), inputs, logs, read))
    return Resolved(tuple(tasks), tuple(topics))


def _partition_counts(topology: Topology, counts: Mapping[str, int]) -> dict[str, int]:
    """Counts of all source topics: the existing ones', and repartition topics' in the order in which they are fed."""
    known: dict[str, int] = {}
    for source in (source for sub in topology.subtopologies for source in sub.sources if not source.internal):
        for topic in source.topics:
            if topic not in counts:
                raise TopologyError(f"{source.site}: source topic {topic!r} does not exist; create it first")
            known[topic] = counts[topic]
    groups = [group for sub in topology.subtopologies for group in _copartitioned(sub)]
    known |= {name: topic.partitions for name, topic in topology.repartition_topics.items() if topic.partitions}
    _settle_repartition_topics(topology, [topics for _, topics in groups], known)
    _refuse_unlike(groups, known)
    return known


def refuse_unlike_counts(topology: Topology) -> None:
    """Raises TopologyError where topics that are joined were given different counts by the program itself (rule O8)."""
    given = {name: topic.partitions for name, topic in topology.repartition_topics.items() if topic.partitions}
    _refuse_unlike([group for sub in topology.subtopologies for group in _copartitioned(sub)], given)


def _refuse_unlike(groups: Iterable[tuple[Node, frozenset[str]]], known: Mapping[str, int]) -> None:
    for join, topics in groups:
        counted = sorted(topics & known.keys())
        if len({known[topic] for topic in counted}) > 1:
            shown = ", ".join(f"{topic} has {known[topic]}" for topic in counted)
            raise TopologyError(
                f"{join.site}: the topics joined must have the same number of partitions, but {shown}; "
                "repartition one side, or create the topics alike"
            )


def _settle_repartition_topics(topology: Topology, groups: Iterable[frozenset[str]], known: dict[str, int]) -> None:
    """Rules O7 and O8: topics that are joined take the count that one of them has already; else the largest count
    of what is written into any of them.
    """
    fed_by = {sink.topic: sub.source_topics for sub in topology.subtopologies for sink in sub.sinks if sink.internal}
    waiting = [joined for joined in _together(groups, fed_by) if not joined <= known.keys()]
    while waiting:
        feeds = {joined: [topic for name in joined if name in fed_by for topic in fed_by[name]] for joined in waiting}
        ready = [joined for joined in waiting if joined & known.keys() or known.keys() >= set(feeds[joined])]
        # a topic that is fed from itself, as in a join with a table that is joined again: what is known decides
        chosen = ready or [joined for joined in waiting if known.keys() & set(feeds[joined])][:1]
        if not chosen:
            raise TopologyError(f"nothing tells the partitions of {sorted(waiting[0])}; give one of them partitions=")
        for joined in chosen:
            waiting.remove(joined)
            count = max(known[topic] for topic in (joined & known.keys() or feeds[joined]) if topic in known)
            known.update({name: count for name in joined if name not in known})


def _together(groups: Iterable[frozenset[str]], names: Iterable[str]) -> list[frozenset[str]]:
    """The topics that must have one count, joined through any number of others, and each remaining name by itself."""
    merged: list[frozenset[str]] = []
    for group in (*groups, *(frozenset((name,)) for name in names)):
        touching = [other for other in merged if other & group]
        merged = [other for other in merged if not other & group] + [group.union(*touching)]
    return merged


def _copartitioned(sub: SubTopology) -> list[tuple[Node, frozenset[str]]]:
    """For each join, the source topics that meet in it."""
    by_name = {node.name: node for node in sub.nodes}

    @cache  # joins of joins share what is above them
    def topics_above(name: str) -> frozenset[str]:
        node = by_name[name]
        own = frozenset(node.topics) if isinstance(node, Source) else frozenset()
        return own.union(*map(topics_above, (*node.parents, *node.meets)))

    return [(node, topics_above(node.name)) for node in sub.nodes if node.meets]
