"""Every setting of an application once: its name, type, default and what it does."""

# ruff: noqa: RUF009 (`setting` is a field specifier)
from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

from millstream.duration import Duration, parse_duration_ms
from millstream.errors import ConfigError
from millstream.size import Size, parse_bytes

PREFIX = "MILLSTREAM_"  # of the variables of the environment that settings are read from


def setting(default: Any, doc: str, *, parse: Callable[[Any], Any] | None = None, secret: bool = False) -> Any:
    """A field with its documentation and how what the user wrote becomes its value."""
    written = {"default_factory": dict} if default == {} else {"default": default}
    return field(metadata={"doc": doc, "parse": parse}, repr=not secret, **written)


def duration(default: Duration, doc: str) -> Any:
    """A setting in milliseconds that may be written as a duration."""
    return setting(parse_duration_ms(default), doc, parse=parse_duration_ms)


def size(default: Size, doc: str) -> Any:
    """A setting in bytes that may be written as "10MB"."""
    return setting(parse_bytes(default), doc, parse=parse_bytes)


def parse_address(given: str | int) -> str:
    """HOST:PORT; a port alone is on loopback, where only this machine reaches it.

    >>> parse_address(8080), parse_address("0.0.0.0:8080")
    ('127.0.0.1:8080', '0.0.0.0:8080')
    """
    host, _, port = str(given).rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{given!r} is not an address; write it as HOST:PORT, or PORT for this machine alone")
    return f"{host or '127.0.0.1'}:{port}"


def optional_size(given: Size | None) -> int | None:
    return None if given is None else parse_bytes(given)


def optional_address(given: str | int | None) -> str | None:
    return None if given is None else parse_address(given)


def optional_duration(given: Duration | None) -> int | None:
    return None if given is None else parse_duration_ms(given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one application.

    Make it with `Settings.of`, which reads durations and names what is unknown. Durations are written without the
    `_ms` that they have here. Dictionaries for Kafka's clients may hold secrets, and are left out of the repr.
    """

    application_id: str = field(metadata={"doc": "Names the group, and prefixes internal topics.", "parse": None})
    bootstrap_servers: str | None = setting(None, "Brokers as HOST:PORT,..; None: the embedded broker.")

    processing_guarantee: Literal["at_least_once", "exactly_once_v2"] = setting(
        "at_least_once",
        '"at_least_once", or "exactly_once_v2": results, changelogs and offsets are committed in one transaction.',
    )
    commit_interval_ms: int | None = setting(
        None,
        "How often offsets and changelogs are committed; None: 30 s, and 100 ms under exactly-once.",
        parse=optional_duration,
    )
    commit_records: int | None = setting(None, "Records after which a commit is made before its time; None: never.")
    commit_bytes: int | None = setting(
        None, "Bytes of records (about) after which a commit is made before its time; None: never.", parse=optional_size
    )
    transaction_timeout_ms: int = duration(
        "10s", "How long a transaction may be open before the broker aborts it: longer than any record takes."
    )
    group_instance_id: str | None = setting(
        None, "This worker's name as a static member of the group: it keeps its tasks when it is soon back."
    )
    emit: Literal["latest", "every"] = setting("latest", "What tables emit: the last update of a round, or each one.")
    retention_rule: Literal["lossless", "kafka"] = setting(
        "lossless",
        'When window and session stores forget: "kafka" as Kafka Streams\' do, which can lose results; '
        '"lossless" only what no record in time can need.',
    )
    emit_interval_ms: int = duration(
        0, "How often, by wall clock, windows that are emitted on their close, and outer joins, look for what is due."
    )
    optimize: Any = setting(
        "none",
        '"none", "all", or names of optimisations of the topology: "reuse.ktable.source.topics", '
        '"merge.repartition.topics", "single.store.self.join". They change names and topics, not answers.',
    )
    store: Literal["memory", "rocksdb"] = setting(
        "memory", "Where stores keep their rows: in memory, or on disk with live rows over them."
    )
    num_standby_replicas: int = setting(
        0, "Copies of each task's state that other workers keep up to date, to go on from when its worker is gone."
    )
    cache: int = size("64MB", "Memory of a worker for live rows of stores on disk (about).")
    rocksdb_memory: int = size("80MB", "Memory of a worker that RocksDB uses: for blocks read and rows being written.")
    idle: Literal["off", "wall-clock"] = setting(
        "off",
        'Without records: "off": event time stands still, as in Kafka Streams; "wall-clock": it goes on, so that '
        "windows close, rows of joins go on alone, and an empty partition holds no others back.",
    )
    idle_after_ms: int = duration("10s", 'How long no records must have come before idle="wall-clock" begins.')
    require_names: bool = setting(
        False, "Refuse a program whose internal topics have generated names: these change when operators are added."
    )
    state_dir: Path = setting(Path(".millstream"), "Folder for local state and the embedded broker.", parse=Path)
    changelog_extra_retention_ms: int = duration("1d", "Kept in window changelogs beyond the store's own retention.")

    buffer_records: int = setting(10_000, "Records buffered for a partition before its reading pauses.")
    buffer_bytes: int = setting(32_000_000, "Bytes (about) buffered for a partition before its reading pauses.")
    input_buffer_max: int = size("512MB", "Bytes (about) buffered for all partitions of a worker.")
    round_records: int = setting(10_000, "The most records fetched at once.")
    round_bytes: int = setting(8_000_000, "Bytes (about) fetched at once.")
    round_time_ms: int = duration("50ms", "Work on records before the client, timers and commits get their turn.")
    time_skew_ms: int = duration("1s", "How far tasks of one worker may be apart in event time while they catch up.")
    lag_wait_ms: int = duration(
        "500ms", "How long a partition that is behind, but has sent nothing, holds others back."
    )
    wait_for_inputs_ms: int | None = setting(
        0, "How long a task waits for data of an empty partition; None: never.", parse=optional_duration
    )

    on_bad_time: Literal["fail", "skip", "partition_time"] = setting(
        "fail",
        'A record whose own timestamp counts and is negative: "fail", "skip", or "partition_time": the largest so far.',
    )
    on_decode_error: Any = setting("fail", '"fail", "skip", or a function: a record that cannot be decoded.')
    on_error: Any = setting("fail", '"fail", "skip", or a function: a user function that raised.')
    on_send_error: Any = setting(
        "fail", '"fail", "skip", or a function: a result that cannot be encoded, or that the broker refuses.'
    )
    on_uncaught: Literal["stop", "replace", "stop_all"] = setting(
        "stop",
        'When processing fails: "stop" ends the worker, "replace" begins it anew from the last commit, unless the same '
        'record fails three times; "stop_all" ends all workers of `--workers`.',
    )
    dead_letters: str | None = setting(None, "Topic for records that failed.")

    kafka: Mapping[str, object] = setting({}, "librdkafka properties of every client, security above all.", secret=True)
    consumer: Mapping[str, object] = setting({}, "librdkafka properties of consumers.", secret=True)
    producer: Mapping[str, object] = setting({}, "librdkafka properties of the producer.", secret=True)
    topic: Mapping[str, str] = setting({}, "Kafka topic configuration over that of internal topics.")
    replication: int = setting(-1, "Replication of internal topics; -1: the broker's default.")
    create_missing_topics: int = setting(0, "Partitions to create missing source and sink topics with; 0: an error.")

    http: str | None = setting(
        None,
        "Where each worker answers over HTTP (metrics, health, queries), as HOST:PORT; a PORT alone is on loopback, "
        "port 0 is any free one. None: nowhere.",
        parse=optional_address,
    )
    advertise: str | None = setting(
        None,
        "HOST:PORT at which others reach this worker's `http`, if that is another address than its own.",
        parse=optional_address,
    )
    health_timeout_ms: int = duration("1m", "How long a worker's loop may stand still before /health says so.")
    log_format: Literal["text", "json"] = setting("text", "Logs as lines of text, or as a JSON object on each line.")

    broker_timeout_ms: int = duration("10s", "How long to wait for a first answer of a broker.")
    call_timeout_ms: int = duration("30s", "How long a single question to a broker may take.")
    give_up_after_ms: int = duration("5m", "How long a worker goes on trying while reading fails.")
    stop_timeout_ms: int = duration("30s", "How long the last commit may take when a worker stops.")

    def __post_init__(self) -> None:
        if not self.application_id or not _is_topic_name(self.application_id):
            raise ConfigError(
                f"application_id={self.application_id!r}: it names topics; use letters, digits, dots, - and _"
            )
        if self.emit not in ("latest", "every"):
            raise ConfigError(f'emit={self.emit!r}: give "latest" or "every"')
        if self.on_bad_time not in ("fail", "skip", "partition_time"):
            raise ConfigError(f'on_bad_time={self.on_bad_time!r}: give "fail", "skip" or "partition_time"')
        if self.retention_rule not in ("lossless", "kafka"):
            raise ConfigError(f'retention_rule={self.retention_rule!r}: give "lossless" or "kafka"')
        if self.store not in ("memory", "rocksdb"):
            raise ConfigError(f'store={self.store!r}: give "memory" or "rocksdb"')
        if self.log_format not in ("text", "json"):
            raise ConfigError(f'log_format={self.log_format!r}: give "text" or "json"')
        if self.idle not in ("off", "wall-clock"):
            raise ConfigError(f'idle={self.idle!r}: give "off" or "wall-clock"')
        if self.on_uncaught not in ("stop", "replace", "stop_all"):
            raise ConfigError(f'on_uncaught={self.on_uncaught!r}: give "stop", "replace" or "stop_all"')
        self._check_commits()
        for name in (
            "idle_after_ms",
            "buffer_records",
            "buffer_bytes",
            "round_records",
            "round_bytes",
            "round_time_ms",
            "commit_interval_ms",
            "commit_records",
            "commit_bytes",
            "input_buffer_max",
            "transaction_timeout_ms",
            "rocksdb_memory",
        ):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ConfigError(f"{written_name(name)}={getattr(self, name)!r}: it must be above 0")

        if self.num_standby_replicas < 0:
            raise ConfigError(f"num_standby_replicas={self.num_standby_replicas!r}: it must not be below 0")

    def _check_commits(self) -> None:
        if self.processing_guarantee not in ("at_least_once", "exactly_once_v2"):
            raise ConfigError(
                f'processing_guarantee={self.processing_guarantee!r}: give "at_least_once" or "exactly_once_v2"'
            )
        if self.exactly_once and self.commit_every_ms >= self.transaction_timeout_ms:
            raise ConfigError(
                f"commit_interval={self.commit_every_ms} ms: under exactly-once it must be shorter than "
                f"transaction_timeout ({self.transaction_timeout_ms} ms), or the broker aborts each transaction"
            )

    @property
    def exactly_once(self) -> bool:
        return self.processing_guarantee == "exactly_once_v2"

    @property
    def commit_every_ms(self) -> int:
        """The commit interval in effect.

        >>> Settings.of("a").commit_every_ms, Settings.of("a", processing_guarantee="exactly_once_v2").commit_every_ms
        (30000, 100)
        """
        if self.commit_interval_ms is not None:
            return self.commit_interval_ms
        return 100 if self.exactly_once else 30_000

    @classmethod
    def of(cls, application_id: str, **given: Any) -> Settings:
        """Settings as the user wrote them; raises ConfigError for an unknown name or a value that makes no sense.

        >>> Settings.of("qos", commit_interval="1s").commit_interval_ms
        1000
        >>> Settings.of("qos", commit_intervall="1s")
        Traceback (most recent call last):
        millstream.errors.ConfigError: there is no setting 'commit_intervall'; did you mean 'commit_interval'?
        """
        known = {written_name(each.name): each for each in fields(cls)}
        values = {known[name].name if name in known else name: _parsed(known, name, given[name]) for name in given}
        return cls(application_id=application_id, **values)


class Documented(NamedTuple):
    """A setting as its page tells it. `env` is its variable; one with a `*` takes Kafka's names, dots as `_`."""

    name: str
    default: Any
    doc: str
    env: str | None


def documented() -> list[Documented]:
    """Every setting, in order.

    >>> documented()[3]
    Documented(name='commit_interval', default=None, doc='How often offsets and changelogs are committed; None: 30 s, \
and 100 ms under exactly-once.', env='MILLSTREAM_COMMIT_INTERVAL')
    """
    return [
        Documented(written_name(each.name), _default(each), each.metadata["doc"], environment_name(each))
        for each in fields(Settings)
    ]


def environment_name(each: Field[Any]) -> str | None:
    """The variable that a setting is read from; None for the application id, which the program alone gives."""
    if each.name == "application_id":
        return None
    name = PREFIX + written_name(each.name).upper()
    return name + "_*" if each.default_factory is not MISSING else name


def _parsed(known: Mapping[str, Field[Any]], name: str, value: Any) -> Any:
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        raise ConfigError(f"there is no setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    parse = known[name].metadata["parse"]
    if parse is None:
        return value
    try:
        return parse(value)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


def written_name(name: str) -> str:
    """A setting's name as users write it, from that of its field."""
    return name.removesuffix("_ms")


def _default(each: Field[Any]) -> Any:
    if each.default_factory is not MISSING:
        return each.default_factory()
    return None if each.default is MISSING else each.default


def _is_topic_name(name: str) -> bool:
    return len(name) <= 200 and all(char.isascii() and (char.isalnum() or char in "._-") for char in name)
