"""What each librdkafka client is configured with: Millstream's choices, and the user's properties over them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from confluent_kafka import KafkaException

from millstream.client.librdkafka.repeats import Repeats
from millstream.client.librdkafka.waves import WAVE_ROWS
from millstream.errors import ConfigError

LOG = logging.getLogger("millstream.librdkafka")
LOG.addHandler(logging.NullHandler())  # librdkafka's chatter is for those who ask for it
LOG.addFilter(Repeats())

Client = TypeVar("Client")

SECRET_WORDS = ("password", "secret", "token", "key.pem", "oauthbearer.config", "jaas")

# What the runtime decides or reads out of; another value would break its promises.
OWNED = frozenset(
    {
        "bootstrap.servers",
        "delivery.report.only.error",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "enable.partition.eof",
        "error_cb",
        "group.id",
        "group.protocol",
        "logger",
        "on_commit",
        "on_delivery",
        "partition.assignment.strategy",
        "transactional.id",
    }
)

COMMON: dict[str, object] = {
    "client.id": "millstream",
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1_000,  # librdkafka's 10 s would be added to every broker restart
}

CONSUMER: dict[str, object] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "fetch.queue.backoff.ms": 1,  # default 1 s: a full queue, once emptied, would stay empty that long
    # A partition that is assigned or resumed is first asked for when the fetch under way returns; default 500 ms.
    "fetch.wait.max.ms": 100,
    "queued.min.messages": 50_000,
    "queued.max.messages.kbytes": 16_384,
}

DATA: dict[str, object] = {
    **CONSUMER,
    "enable.partition.eof": True,
    "isolation.level": "read_uncommitted",
    "topic.metadata.propagation.max.ms": 5_000,  # default 30 s: how long a missing topic goes unnoticed
}

MEMBERSHIP: dict[str, object] = {
    **CONSUMER,
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 6_000,
    "heartbeat.interval.ms": 500,
}

PRODUCER: dict[str, object] = {
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 5,
    "batch.num.messages": WAVE_ROWS,  # so that a whole wave doesn't linger
    "message.timeout.ms": 120_000,
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 131_072,  # default 1 GB; a full queue slows the intake
    "delivery.report.only.error": True,
}


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the cluster is and the user's properties; the latter may hold secrets and are never shown."""

    bootstrap_servers: str
    common: Mapping[str, object] = field(repr=False)
    consumer: Mapping[str, object] = field(repr=False)
    producer: Mapping[str, object] = field(repr=False)
    unavailable_after_ms: int

    def __post_init__(self) -> None:
        for setting, given in (("kafka", self.common), ("consumer", self.consumer), ("producer", self.producer)):
            if owned := sorted(OWNED & given.keys()):
                raise ConfigError(
                    f"{setting}={{{owned[0]!r}: ...}}: Millstream sets this property itself; leave it out"
                )

    def for_data(self) -> dict[str, object]:
        return self._layered(DATA, self.consumer)

    def for_membership(self) -> dict[str, object]:
        return self._layered(MEMBERSHIP, self.consumer)

    def for_producer(self) -> dict[str, object]:
        return self._layered(PRODUCER, self.producer)

    def for_transactions(self, transactional_id: str, timeout_ms: int) -> dict[str, object]:
        # librdkafka wants a row's time to be within its transaction's, and lowers only what nobody has set.
        rows_ms = min(timeout_ms, int(str(self.producer.get("message.timeout.ms", timeout_ms))))
        return self.for_producer() | {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": timeout_ms,
            "message.timeout.ms": rows_ms,
        }

    def for_admin(self) -> dict[str, object]:
        return self._layered({}, {})

    def _layered(self, ours: Mapping[str, object], theirs: Mapping[str, object]) -> dict[str, object]:
        return {**COMMON, **ours, **self.common, **theirs, "bootstrap.servers": self.bootstrap_servers, "logger": LOG}


def build(make: Callable[[Any], Client], config: dict[str, object]) -> Client:
    """Make a librdkafka client; a property that it doesn't know or accept is a ConfigError without secrets in it."""
    try:
        return make(config)
    except (KafkaException, ValueError, TypeError) as refused:
        given = refused.args[0] if refused.args else refused
        reason = given.str() if hasattr(given, "str") else str(given)
        raise ConfigError(f"Kafka client: {without_secrets(reason, config)}") from None


def without_secrets(text: str, config: Mapping[str, object]) -> str:
    """The text with the values of secret properties blanked out.

    >>> without_secrets('Invalid value "hunter2" for ssl.key.password', {"ssl.key.password": "hunter2"})
    'Invalid value "***" for ssl.key.password'
    """
    for name, value in config.items():
        if isinstance(value, str) and value and any(word in name for word in SECRET_WORDS):
            text = text.replace(value, "***")
    return text
