"""Configurations that clients give the broker and groups while it runs; durable. The catalogue has those of topics."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from millstream.broker.journal import Journal
from millstream.broker.settings import BROKER_NAMES
from millstream.broker.topics.configs import BOOLEAN, DOUBLE, INT, LIST, LONG, STRING, config_problem

TOPIC, BROKER, GROUP = 2, 4, 32
"""Numbers of the kinds of resources that have configurations."""

ALL_BROKERS = ""
SESSION, HEARTBEAT = "consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"
GROUP_CONFIGS: Mapping[str, str] = MappingProxyType(
    {
        HEARTBEAT: "How often members of the new protocol beat.",
        SESSION: "How long a member of the new protocol may be silent.",
    }
)
"""Settings of a group, with what they mean."""

WITHOUT_MEANING: Mapping[str, int] = MappingProxyType(
    {
        "background.threads": INT,
        "follower.replication.throttled.rate": LONG,
        "leader.replication.throttled.rate": LONG,
        "log.cleaner.backoff.ms": LONG,
        "log.cleaner.dedupe.buffer.size": LONG,
        "log.cleaner.io.buffer.load.factor": DOUBLE,
        "log.cleaner.io.buffer.size": INT,
        "log.cleaner.io.max.bytes.per.second": DOUBLE,
        "log.cleaner.threads": INT,
        "max.connection.creation.rate": INT,
        "max.connections.per.ip": INT,
        "max.connections.per.ip.overrides": STRING,
        "metric.reporters": LIST,
        "num.io.threads": INT,
        "num.network.threads": INT,
        "num.recovery.threads.per.data.dir": INT,
        "num.replica.fetchers": INT,
        "replica.alter.log.dirs.io.max.bytes.per.second": LONG,
        "sasl.kerberos.kinit.cmd": STRING,
        "sasl.kerberos.min.time.before.relogin": LONG,
        "sasl.kerberos.principal.to.local.rules": LIST,
        "sasl.kerberos.service.name": STRING,
        "sasl.kerberos.ticket.renew.jitter": DOUBLE,
        "sasl.kerberos.ticket.renew.window.factor": DOUBLE,
        "transaction.partition.verification.enable": BOOLEAN,
    }
)
"""Settings that Kafka's brokers can change while they run, and their types: they are stored and told, no more."""

_CONFIG = "config/"
_INT_MAX = 2**31 - 1


class DynamicConfigs:
    """Configurations by kind and name: of this broker (its number), of all brokers (no name), of groups.

    >>> configs = DynamicConfigs(Journal(None))
    >>> configs.put(GROUP, "g", {"consumer.session.timeout.ms": "50000"})
    >>> configs.names(GROUP), configs.get(GROUP, "g")["consumer.session.timeout.ms"]
    (['g'], '50000')
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._configs: dict[tuple[int, str], Mapping[str, str]] = {}
        for key, value in journal.items():
            if key.startswith(_CONFIG):
                kind, _, name = key.removeprefix(_CONFIG).partition("/")
                self._configs[int(kind), name] = value

    def get(self, kind: int, name: str) -> Mapping[str, str]:
        return self._configs.get((kind, name), {})

    def names(self, kind: int) -> list[str]:
        """Of that kind those that were given a configuration."""
        return sorted(name for each, name in self._configs if each == kind)

    def put(self, kind: int, name: str, configs: Mapping[str, str]) -> None:
        """Replace a configuration. Raises OSError with nothing changed."""
        self._journal.put({f"{_CONFIG}{kind}/{name}": dict(configs) or None})
        if configs:
            self._configs[kind, name] = dict(configs)
        else:
            self._configs.pop((kind, name), None)

    def group_number(self, group_id: str, name: str, default: int) -> int:
        """A setting of a group."""
        return int(self.get(GROUP, group_id).get(name, default))


def topic_defaults(configs: Mapping[str, str]) -> dict[str, str]:
    """What a broker's configuration means to topics that say nothing themselves.

    >>> topic_defaults({"log.retention.ms": "5", "background.threads": "9"})
    {'retention.ms': '5'}
    """
    return {BROKER_NAMES[name]: value for name, value in configs.items() if name in BROKER_NAMES}


def broker_problem(name: str, value: str | None) -> str | None:
    """Why a broker cannot have this setting while it runs, or None.

    >>> broker_problem("log.retention.ms", "5")
    >>> broker_problem("log.dirs", "/")
    'Cannot update these configs dynamically: log.dirs'
    """
    if name in BROKER_NAMES:
        return config_problem(BROKER_NAMES[name], value)
    kind = WITHOUT_MEANING.get(name)
    if kind is None:
        return f"Cannot update these configs dynamically: {name}"
    try:
        _read(kind, value or "")
    except ValueError:
        return f"Invalid value {value} for configuration {name}"
    return None


def _read(kind: int, value: str) -> None:
    if kind in {INT, LONG}:
        int(value)
    elif kind == DOUBLE:
        float(value)
    elif kind == BOOLEAN and value.lower() not in {"true", "false"}:
        raise ValueError(value)


def group_problem(name: str, value: str | None) -> str | None:
    """Why a group cannot have this setting, or None.

    >>> group_problem("consumer.session.timeout.ms", "soon")
    'Invalid value soon for configuration consumer.session.timeout.ms: a number from 1 to 2147483647'
    """
    if name not in GROUP_CONFIGS:
        return f"Unknown group config name: {name}"
    if value is None or not value.isdecimal() or not 1 <= int(value) <= _INT_MAX:
        return f"Invalid value {value} for configuration {name}: a number from 1 to {_INT_MAX}"
    return None
