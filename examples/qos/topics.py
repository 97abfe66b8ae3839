"""The application's topics, and the benchmarks that are known before the first report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from confluent_kafka import KafkaError as ClientError
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from millstream.errors import BrokerUnavailableError, KafkaError

from .definitions import ALERTS, ANOMALIES, BENCHMARKS, DEAD_LETTERS, DROPOFFS, LOCATIONS, PARTITIONS, REPORTS
from .model import Benchmark

CONNECT_S: Final = 10.0
TIMEOUT_S: Final = 30.0
# A replayed match has timestamps of long ago, which a broker's default retention by time would soon delete.
KEPT: Final = {"retention.ms": "-1"}
RESULTS: Final = (ALERTS, LOCATIONS, ANOMALIES, DROPOFFS, DEAD_LETTERS)


def create_topics(bootstrap: str, partitions: int = PARTITIONS) -> int:
    """Create the topics that don't exist yet; how many partitions `client-reports` has.

    Raises:
        BrokerUnavailableError: nobody answers at the address.
        KafkaError: the broker refuses a topic.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    try:
        admin.list_topics(timeout=CONNECT_S)
    except KafkaException as failure:
        error = failure.args[0]
        raise BrokerUnavailableError(f"no broker answers at {bootstrap}: {error.str()}", code=error.code()) from failure
    wanted = [
        NewTopic(REPORTS, partitions, 1, config=KEPT),
        NewTopic(BENCHMARKS, 1, 1, config={"cleanup.policy": "compact"}),
        *(NewTopic(name, 1, 1, config=KEPT) for name in RESULTS),
    ]
    for name, created in admin.create_topics(wanted, operation_timeout=TIMEOUT_S, request_timeout=TIMEOUT_S).items():
        try:
            created.result(2 * TIMEOUT_S)
        except KafkaException as failure:
            error = failure.args[0]
            if error.code() != ClientError.TOPIC_ALREADY_EXISTS:
                message = f"topic {name} could not be created at {bootstrap}: {error.str()}"
                raise KafkaError(message, code=error.code()) from failure
    return len(admin.list_topics(REPORTS, timeout=TIMEOUT_S).topics[REPORTS].partitions)


def publish_benchmarks(bootstrap: str, benchmarks: Mapping[str, Benchmark], at_ms: int) -> None:
    """Write each CDN's benchmark; returns when the broker has them.

    Raises:
        KafkaError: the broker did not take them in time.
    """
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0})
    for cdn, benchmark in benchmarks.items():
        producer.produce(BENCHMARKS, msgspec.json.encode(benchmark), cdn.encode(), timestamp=at_ms)
    left = producer.flush(TIMEOUT_S)
    if left:
        raise KafkaError(f"{BENCHMARKS}: {left} benchmarks were not acknowledged by {bootstrap} in {TIMEOUT_S:.0f} s")
