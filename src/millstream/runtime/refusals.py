"""Which failures of a delivery are a record's own, and what is to be done about them (rule X16)."""

from __future__ import annotations

from millstream.errors import KafkaError

TOO_LARGE = frozenset({10, 18})  # MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE
NOWHERE = frozenset(
    {
        3,  # UNKNOWN_TOPIC_OR_PARTITION
        17,  # INVALID_TOPIC_EXCEPTION
        -188,  # librdkafka knows of no such topic
        -190,  # or partition
    }
)
REJECTED = frozenset(
    {
        32,  # INVALID_TIMESTAMP
        44,  # POLICY_VIOLATION
        87,  # INVALID_RECORD: a null key in a compacted topic, say
    }
)


def of_one_record(error: KafkaError) -> bool:
    """Whether other records can be written all the same. Fencing, authorisation and what may pass are never that.

    >>> of_one_record(KafkaError("too large", code=10)), of_one_record(KafkaError("not allowed", code=29))
    (True, False)
    """
    return error.code in TOO_LARGE | NOWHERE | REJECTED and not error.fatal and not error.retriable


def for_its_size(error: KafkaError) -> bool:
    """Whether all records of a batch were refused, because one of them may be too large or the batch is."""
    return error.code in TOO_LARGE


def advice(error: KafkaError) -> str:
    """What the user can do about it."""
    if error.code in TOO_LARGE:
        return (
            'let the topic have larger records (max.message.bytes), and send them (producer={"message.max.bytes": N})'
        )
    if error.code in NOWHERE:
        return "create the topic with that partition"
    return "mend what makes such records" if error.code in REJECTED else "see what the broker's log says of it"
