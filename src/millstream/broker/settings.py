"""The broker's settings, each once: its name, default, bounds and what it does. Names are Kafka's where Kafka has them.

Settings of topics (`topics/configs.py`) can be given for all topics, under the names that they have for a broker.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from millstream.broker.topics.configs import TOPIC_CONFIGS, config_problem

_INT_MAX = 2**31 - 1
_MINUTE_MS = 60_000

BROKER_NAMES: Mapping[str, str] = {
    "compression.gzip.level": "compression.gzip.level",
    "compression.lz4.level": "compression.lz4.level",
    "compression.type": "compression.type",
    "compression.zstd.level": "compression.zstd.level",
    "log.cleaner.delete.retention.ms": "delete.retention.ms",
    "log.cleaner.max.compaction.lag.ms": "max.compaction.lag.ms",
    "log.cleaner.min.cleanable.ratio": "min.cleanable.dirty.ratio",
    "log.cleaner.min.compaction.lag.ms": "min.compaction.lag.ms",
    "log.cleanup.policy": "cleanup.policy",
    "log.flush.interval.messages": "flush.messages",
    "log.flush.interval.ms": "flush.ms",
    "log.index.interval.bytes": "index.interval.bytes",
    "log.index.size.max.bytes": "segment.index.bytes",
    "log.message.timestamp.after.max.ms": "message.timestamp.after.max.ms",
    "log.message.timestamp.before.max.ms": "message.timestamp.before.max.ms",
    "log.message.timestamp.type": "message.timestamp.type",
    "log.preallocate": "preallocate",
    "log.retention.bytes": "retention.bytes",
    "log.retention.ms": "retention.ms",
    "log.roll.jitter.ms": "segment.jitter.ms",
    "log.roll.ms": "segment.ms",
    "log.segment.bytes": "segment.bytes",
    "log.segment.delete.delay.ms": "file.delete.delay.ms",
    "message.max.bytes": "max.message.bytes",
    "min.insync.replicas": "min.insync.replicas",
    "unclean.leader.election.enable": "unclean.leader.election.enable",
}
"""Names that settings of topics have for a broker."""


def setting(name: str, default: int | bool, doc: str, *, low: int = 1, high: int = _INT_MAX) -> Any:
    """A field with its name on the outside, its bounds and its documentation."""
    return field(default=default, metadata={"name": name, "doc": doc, "low": low, "high": high})


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """Kafka's defaults, but for what is small here on purpose. Times are in milliseconds unless a name says otherwise.

    >>> BrokerSettings.of(["num.partitions=4", "log.retention.ms=1000"]).topic_defaults["retention.ms"]
    '1000'
    """

    node_id: int = setting("node.id", 0, "This broker's number.", low=0)
    auto_create_topics: bool = setting("auto.create.topics.enable", True, "Topics are made when they are first used.")
    partitions: int = setting("num.partitions", 1, "Partitions of a topic that names no number.", high=10_000)
    group_initial_delay_ms: int = setting(
        "group.initial.rebalance.delay.ms", 20, "How long a new group waits for more members; 3 s in Kafka.", low=0
    )
    session_min_ms: int = setting("group.min.session.timeout.ms", 6_000, "The shortest session timeout.")
    session_max_ms: int = setting("group.max.session.timeout.ms", 1_800_000, "The longest session timeout.")
    consumer_session_ms: int = setting(
        "group.consumer.session.timeout.ms", 45_000, "Session timeout in groups of the new protocol."
    )
    group_members: int = setting("group.max.size", 10_000, "Members of a group; one more is refused.")
    metadata_bytes: int = setting("offset.metadata.max.bytes", 4_096, "Longest metadata of an offset.", low=0)
    offsets_retention_minutes: int = setting(
        "offsets.retention.minutes", 10_080, "How long offsets of groups without members are kept."
    )
    transaction_max_ms: int = setting("transaction.max.timeout.ms", 900_000, "The longest transaction timeout.")
    transactional_ids_ms: int = setting(
        "transactional.id.expiration.ms", 604_800_000, "How long unused transactional ids are kept."
    )
    producer_ids_ms: int = setting("producer.id.expiration.ms", 86_400_000, "How long silent producers are known.")
    connections: int = setting("max.connections", 2_000, "Connections beyond that are closed at once.")
    idle_ms: int = setting(
        "connections.max.idle.ms", 600_000, "A connection without a whole request, or that takes no answers, is closed."
    )
    request_bytes: int = setting("socket.request.max.bytes", 104_857_600, "The largest request.")
    queued_bytes: int = setting(
        "queued.max.request.bytes", 16_777_216, "Requests of one connection that wait; it is read no further beyond."
    )
    queued_requests: int = setting("queued.max.requests", 100, "The same in requests.")
    login_bytes: int = setting(
        "sasl.server.max.receive.size", 524_288, "The largest request of a client that has yet to log in."
    )
    fetch_bytes: int = setting("fetch.max.bytes", 57_671_680, "The largest answer to a fetch.", low=1_024)
    answer_bytes: int = setting(
        "queued.max.answer.bytes",
        268_435_456,
        "Answers that clients have yet to take; beyond it a fetch gets one batch at a time. Not in Kafka.",
    )
    login_ms: int = setting("login.timeout.ms", 10_000, "How long a connection may take to log in. Not in Kafka.")
    topics: int = setting("max.topics", 10_000, "More cannot be made. Not in Kafka.")
    topic_partitions: int = setting("max.partitions", 50_000, "Of all topics together. Not in Kafka.")
    groups: int = setting("max.groups", 10_000, "More cannot be made. Not in Kafka.")
    topic_defaults: Mapping[str, str] = field(default_factory=dict, metadata={"doc": "Settings for all topics."})

    @property
    def offsets_retention_ms(self) -> int:
        return self.offsets_retention_minutes * _MINUTE_MS

    @classmethod
    def of(cls, written: Iterable[str]) -> BrokerSettings:
        """The defaults, with others given as NAME=VALUE.

        Raises ValueError for a name that is unknown or a value that makes no sense.

        >>> BrokerSettings.of(["num.partition=4"])
        Traceback (most recent call last):
        ValueError: there is no setting 'num.partition'; did you mean 'num.partitions'?
        """
        known = {each.metadata["name"]: each for each in fields(cls) if "name" in each.metadata}
        given: dict[str, Any] = {}
        topics: dict[str, str] = {}
        for each in written:
            name, equals, value = each.partition("=")
            if not equals:
                raise ValueError(f"a setting is NAME=VALUE, not {each!r}")
            if name in known:
                given[known[name].name] = _read(name, value, known[name])
            else:
                topics |= _topic_default(name, value, [*known, *BROKER_NAMES])
        return cls(**given, topic_defaults=topics)

    def told(self) -> dict[str, tuple[Any, str]]:
        """Value and documentation of each by its name."""
        return {
            each.metadata["name"]: (getattr(self, each.name), each.metadata["doc"])
            for each in fields(self)
            if "name" in each.metadata
        }


def _read(name: str, value: str, each: Any) -> int | bool:
    if isinstance(each.default, bool):
        if value.lower() not in ("true", "false"):
            raise ValueError(f"{name} is true or false, not {value!r}")
        return value.lower() == "true"
    low, high = each.metadata["low"], each.metadata["high"]
    if not value.isdigit() or not low <= int(value) <= high:
        raise ValueError(f"{name} is a number from {low} to {high}, not {value!r}")
    return int(value)


def _topic_default(name: str, value: str, known: list[str]) -> dict[str, str]:
    topic_name = BROKER_NAMES.get(name, name)
    if topic_name not in TOPIC_CONFIGS:
        near = difflib.get_close_matches(name, known, 1)
        raise ValueError(f"there is no setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    problem = config_problem(topic_name, value)
    if problem is not None:
        raise ValueError(problem)
    return {topic_name: value}


DEFAULTS = BrokerSettings()
