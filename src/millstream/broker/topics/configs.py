"""Topic configurations: every name that Kafka knows, its type, default and check.

All are stored and told; what acts on a log is in `log_settings`. Only with a `compression.type` of its own does a topic
have its batches opened when they come; else they are opaque.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from millstream.broker.log.partition import NOTHING_EXPIRES, CompactionRules, LogSettings
from millstream.broker.log.retention import Retention

BOOLEAN, STRING, INT, LONG, DOUBLE, LIST = 1, 2, 3, 5, 6, 7
"""Numbers of config types as DescribeConfigs tells them."""

Check = Callable[[str], str | None]
"""What is wrong with a value, or None."""
_LONG_MAX = 2**63 - 1
_INT_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class TopicConfig:
    name: str
    kind: int
    default: str
    check: Check
    doc: str


def _integer(low: int, high: int) -> Check:
    kind = "LONG" if high == _LONG_MAX else "INT"

    def problem(value: str) -> str | None:
        try:
            number = int(value)
        except ValueError:
            return f"Not a number of type {kind}"
        return _outside(number, low, high)

    return problem


def _ratio(value: str) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return "Not a number of type DOUBLE"
    return _outside(number, 0, 1)


def _outside(number: float, low: int, high: int) -> str | None:
    if number >= low:
        return None if number <= high else f"Value must be no more than {high}"
    return f"Value must be at least {low}"


def _one_of(*allowed: str) -> Check:
    return lambda value: None if value in allowed else f"String must be one of: {', '.join(allowed)}"


def _boolean(value: str) -> str | None:
    return None if value.lower() in {"true", "false"} else "Expected value to be either true or false"


def _cleanup(value: str) -> str | None:
    """No policy at all keeps everything for ever (KIP-1161)."""
    policies = {part.strip() for part in value.split(",") if part.strip()}
    return None if policies <= {"compact", "delete"} else "String must be one of: compact, delete"


def _anything(value: str) -> str | None:
    return None


_LONG = _integer(0, _LONG_MAX)
_LONG_OR_NONE = _integer(-1, _LONG_MAX)
_CODEC_NUMBERS = {"uncompressed": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
_CODECS = _one_of("producer", *_CODEC_NUMBERS)

_TABLE: tuple[tuple[str, int, str, Check, str], ...] = (
    ("cleanup.policy", LIST, "delete", _cleanup, "What happens to old records: delete, compact or both."),
    ("compression.gzip.level", INT, "-1", _integer(-1, 9), "Level of gzip when the broker compresses."),
    ("compression.lz4.level", INT, "9", _integer(1, 17), "Level of lz4 when the broker compresses."),
    ("compression.type", STRING, "producer", _CODECS, "How batches are compressed; producer: as they were sent."),
    ("compression.zstd.level", INT, "3", _integer(-131072, 22), "Level of zstd when the broker compresses."),
    ("delete.retention.ms", LONG, "86400000", _LONG, "How long tombstones of compacted topics are kept."),
    ("file.delete.delay.ms", LONG, "60000", _LONG, "How long a deleted file stays on disk."),
    ("flush.messages", LONG, str(_LONG_MAX), _integer(1, _LONG_MAX), "Records between forced flushes."),
    ("flush.ms", LONG, str(_LONG_MAX), _LONG, "Time between forced flushes."),
    ("follower.replication.throttled.replicas", LIST, "", _anything, "Replication is not part of this broker."),
    ("index.interval.bytes", INT, "4096", _integer(0, _INT_MAX), "Bytes between index entries."),
    ("leader.replication.throttled.replicas", LIST, "", _anything, "Replication is not part of this broker."),
    ("local.retention.bytes", LONG, "-2", _integer(-2, _LONG_MAX), "Bytes kept locally before tiering."),
    ("local.retention.ms", LONG, "-2", _integer(-2, _LONG_MAX), "Time kept locally before tiering."),
    ("max.compaction.lag.ms", LONG, str(_LONG_MAX), _integer(1, _LONG_MAX), "Longest wait before compaction."),
    ("max.message.bytes", INT, "1048588", _integer(0, _INT_MAX), "Largest record batch."),
    ("message.timestamp.after.max.ms", LONG, "3600000", _LONG, "How far timestamps may lie ahead."),
    ("message.timestamp.before.max.ms", LONG, str(_LONG_MAX), _LONG, "How far timestamps may lie behind."),
    ("message.timestamp.type", STRING, "CreateTime", _one_of("CreateTime", "LogAppendTime"), "Whose clock stamps."),
    ("min.cleanable.dirty.ratio", DOUBLE, "0.5", _ratio, "Share of uncompacted data that starts compaction."),
    ("min.compaction.lag.ms", LONG, "0", _LONG, "Shortest wait before compaction."),
    ("min.insync.replicas", INT, "1", _integer(1, _INT_MAX), "This broker is the only replica."),
    ("preallocate", BOOLEAN, "false", _boolean, "Whether segment files are preallocated."),
    ("remote.log.copy.disable", BOOLEAN, "false", _boolean, "Tiered storage is not part of this broker."),
    ("remote.log.delete.on.disable", BOOLEAN, "false", _boolean, "Tiered storage is not part of this broker."),
    ("remote.storage.enable", BOOLEAN, "false", _boolean, "Tiered storage is not part of this broker."),
    ("retention.bytes", LONG, "-1", _LONG_OR_NONE, "Bytes kept per partition; -1 is no bound."),
    ("retention.ms", LONG, "604800000", _LONG_OR_NONE, "How long records are kept; -1 is no bound."),
    ("segment.bytes", INT, "1073741824", _integer(14, _INT_MAX), "Largest segment."),
    ("segment.index.bytes", INT, "10485760", _integer(4, _INT_MAX), "Largest index."),
    ("segment.jitter.ms", LONG, "0", _LONG, "Jitter of segment roll times."),
    ("segment.ms", LONG, "604800000", _integer(1, _LONG_MAX), "When a segment rolls even if it is small."),
    ("unclean.leader.election.enable", BOOLEAN, "false", _boolean, "This broker is the only replica."),
)

TOPIC_CONFIGS: Mapping[str, TopicConfig] = MappingProxyType({row[0]: TopicConfig(*row) for row in _TABLE})


def config_problem(name: str, value: str | None) -> str | None:
    """Why this setting cannot be stored, or None.

    >>> config_problem("retention.ms", "-1")
    >>> config_problem("retention.ms", "soon")
    'Invalid value soon for configuration retention.ms: Not a number of type LONG'
    """
    config = TOPIC_CONFIGS.get(name)
    if config is None:
        return f"Unknown topic config name: {name}"
    if value is None:
        return f"Null value not supported for topic config: {name}"
    problem = config.check(value)
    return None if problem is None else f"Invalid value {value} for configuration {name}: {problem}"


def log_settings(configs: Mapping[str, str]) -> LogSettings:
    """What a topic's own configuration means to its logs; the rest is default."""

    def number(name: str) -> int:
        return int(configs.get(name, TOPIC_CONFIGS[name].default))

    policy = configs.get("cleanup.policy", "delete")
    kept = NOTHING_EXPIRES
    if "delete" in policy:
        since_written = "retention.ms" not in configs or "compact" in policy
        kept = Retention(number("retention.ms"), number("retention.bytes"), since_written=since_written)
    return LogSettings(
        max_message_bytes=number("max.message.bytes"),
        segment_bytes=number("segment.bytes"),
        segment_ms=number("segment.ms"),
        retention=kept,
        codec=_CODEC_NUMBERS.get(configs.get("compression.type", "producer")),
        append_time=configs.get("message.timestamp.type") == "LogAppendTime",
        compacted="compact" in policy,
        compaction=CompactionRules(
            dirty_ratio=float(configs.get("min.cleanable.dirty.ratio", "0.5")),
            min_lag_ms=number("min.compaction.lag.ms"),
            max_lag_ms=number("max.compaction.lag.ms"),
            delete_retention_ms=number("delete.retention.ms"),
        ),
        timestamp_before_max_ms=number("message.timestamp.before.max.ms"),
        timestamp_after_max_ms=number("message.timestamp.after.max.ms"),
    )
