"""librdkafka's errors as Millstream's, with what was being done."""

from __future__ import annotations

from confluent_kafka import KafkaError as RdKafkaError
from confluent_kafka import KafkaException

from millstream.errors import KafkaError

# confluent-kafka's own flag is set by transactional calls alone.
RETRIABLE = frozenset(
    {
        RdKafkaError._ALL_BROKERS_DOWN,
        RdKafkaError._MAX_POLL_EXCEEDED,
        RdKafkaError._MSG_TIMED_OUT,
        RdKafkaError._RESOLVE,
        RdKafkaError._TIMED_OUT,
        RdKafkaError._TIMED_OUT_QUEUE,
        RdKafkaError._TRANSPORT,
        RdKafkaError._WAIT_COORD,
        RdKafkaError.BROKER_NOT_AVAILABLE,
        RdKafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        RdKafkaError.COORDINATOR_NOT_AVAILABLE,
        RdKafkaError.FENCED_LEADER_EPOCH,
        RdKafkaError.KAFKA_STORAGE_ERROR,
        RdKafkaError.LEADER_NOT_AVAILABLE,
        RdKafkaError.NETWORK_EXCEPTION,
        RdKafkaError.NOT_COORDINATOR,
        RdKafkaError.NOT_ENOUGH_REPLICAS,
        RdKafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        RdKafkaError.NOT_LEADER_FOR_PARTITION,
        RdKafkaError.OFFSET_NOT_AVAILABLE,
        RdKafkaError.REBALANCE_IN_PROGRESS,
        RdKafkaError.REPLICA_NOT_AVAILABLE,
        RdKafkaError.REQUEST_TIMED_OUT,
        RdKafkaError.THROTTLING_QUOTA_EXCEEDED,
        RdKafkaError.UNKNOWN_LEADER_EPOCH,
        RdKafkaError.UNSTABLE_OFFSET_COMMIT,
    }
)


def kafka_error(error: RdKafkaError, doing: str) -> KafkaError:
    """The error with its code and what can be expected of trying again.

    >>> problem = kafka_error(RdKafkaError(RdKafkaError._TRANSPORT), "reading clicks-0")
    >>> str(problem), problem.retriable
    ('reading clicks-0: Local: Broker transport failure', True)
    """
    code = error.code()
    return KafkaError(
        f"{doing}: {error.str()}",
        code=code,
        retriable=not error.fatal() and (error.retriable() or code in RETRIABLE),
        fatal=error.fatal(),
    )


def raised(exception: KafkaException | RuntimeError | ValueError, doing: str) -> KafkaError:
    """What a call of confluent-kafka raised. It answers calls on a closed client with RuntimeError."""
    error = exception.args[0] if exception.args else None
    if isinstance(error, RdKafkaError):
        return kafka_error(error, doing)
    return KafkaError(f"{doing}: {exception}", code=RdKafkaError._STATE)
