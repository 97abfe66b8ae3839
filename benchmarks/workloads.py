"""The workloads: what each reads, and how its outputs are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.data import Load

# "every": each output is an answer, all of them must be equal. "last": a cache may leave out updates, so the last value
# of each key must be.
Compared = Literal["every", "last"]
Windows = Literal["tumbling", "session"]


@dataclass(frozen=True, slots=True)
class Workload:
    """`target` is the ratio to reach: Kafka Streams' second half to Millstream's whole run, CPU per record."""

    name: str
    what: str
    load: Load
    compared: Compared
    target: float
    exactly_once: bool = False
    store: Literal["memory", "rocksdb"] = "memory"  # Millstream's; Kafka Streams' is always RocksDB
    windows: Windows | None = None  # what the outputs' keys end with


SESSIONS = Load("reports", 1_000)
VISITS = Load("reports-of-visits", 10_000)
MANY_KEYS = Load("reports-many-keys", 100_000)

WORKLOADS = (
    Workload("W1", "filter half, add a field, drop a field, JSON to JSON", SESSIONS, "every", 1.2),
    Workload("W2", "10 s tumbling count and sum by session, latest updates", SESSIONS, "last", 2.3, windows="tumbling"),
    Workload("W2n", "the same, every update", SESSIONS, "every", 2.2, windows="tumbling"),
    Workload("W2r", "the same as W2, RocksDB in both", SESSIONS, "last", 2.3, store="rocksdb", windows="tumbling"),
    Workload("W2k", "the same as W2, 100,000 keys", MANY_KEYS, "last", 2.5, windows="tumbling"),
    Workload("W2kr", "the same as W2k, RocksDB in both", MANY_KEYS, "last", 2.5, store="rocksdb", windows="tumbling"),
    Workload("W3", "stream-table join, 1,000 rows", SESSIONS, "every", 1.5),
    Workload("W4", "stream-stream join, +-5 s, 1,000 keys, an output for every second record", SESSIONS, "every", 2.8),
    Workload("W5", "QoS: filter, repartition, window, global table join, filter", SESSIONS, "last", 2.0),
    Workload("W6", "the same as W2, exactly-once", SESSIONS, "last", 2.2, exactly_once=True, windows="tumbling"),
    Workload("W8", "session windows, 10 s gap, 10,000 keys", VISITS, "last", 2.0, windows="session"),
)


def chosen(names: str | None) -> list[Workload]:
    """The workloads of a list such as "W1,W2", in the order of the table; None: all of them.

    >>> [workload.name for workload in chosen("W3,W1")]
    ['W1', 'W3']
    """
    if names is None:
        return list(WORKLOADS)
    wanted = set(names.split(","))
    if unknown := sorted(wanted - {workload.name for workload in WORKLOADS}):
        raise ValueError(f"there is no workload {unknown[0]}; there are: {', '.join(w.name for w in WORKLOADS)}")
    return [workload for workload in WORKLOADS if workload.name in wanted]
