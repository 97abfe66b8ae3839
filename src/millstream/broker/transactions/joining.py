"""How partitions and groups join a transaction, and what their producer is told: it depends on what it knows."""

from __future__ import annotations

from enum import Enum

from kio.schema.errors import ErrorCode


class Joins(Enum):
    """How a producer's partitions and groups join its transaction, by the version of the request that writes."""

    BEFORE = "before it writes; errors are those that old producers know"
    BEFORE_ABORTABLE = "before it writes; it knows TRANSACTION_ABORTABLE"
    BY_WRITING = "by writing (version 2)"


def joins(version: int, abortable_from: int) -> Joins:
    """Of Produce and TxnOffsetCommit: a version that knows the error, and from the next on transactions of version 2.

    >>> joins(12, abortable_from=11).name
    'BY_WRITING'
    """
    if version < abortable_from:
        return Joins.BEFORE
    return Joins.BY_WRITING if version > abortable_from else Joins.BEFORE_ABORTABLE


def told(error: ErrorCode, joins: Joins) -> ErrorCode:
    """What a producer that writes is told, which depends on what it knows."""
    match error:
        case ErrorCode.producer_fenced:
            return ErrorCode.invalid_producer_epoch
        case ErrorCode.transaction_abortable if joins is Joins.BEFORE:
            return ErrorCode.invalid_txn_state
        case ErrorCode.concurrent_transactions if joins is not Joins.BY_WRITING:
            return ErrorCode.not_enough_replicas
        case _:
            return error
