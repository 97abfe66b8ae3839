"""Millstream: Kafka Streams for Python.

>>> import millstream as ms
>>> app = ms.App("example")
>>> app.stream("numbers", value=int).filter(lambda n: n > 0).to("positive")
"""

from millstream.app import App
from millstream.dsl import (
    CogroupedStream,
    GlobalTable,
    GroupedStream,
    GroupedTable,
    SplitStream,
    Stream,
    Table,
    collect_list,
    collect_set,
    count,
    count_distinct,
    first,
    histogram,
    hopping,
    join_window,
    key_value_store,
    last,
    max,  # noqa: A004 - the field's term, used as ms.max
    mean,
    min,  # noqa: A004
    session,
    sliding,
    std,
    sum,  # noqa: A004
    top,
    tumbling,
    unlimited,
    until_time_limit,
    until_window_closes,
    variance,
)
from millstream.engine import FailedRecord, Message, Processor, ProcessorContext, RecordMetadata
from millstream.errors import MillstreamError, TopologyError
from millstream.serde import (
    BYTES,
    FLOAT64,
    INT32,
    INT64,
    STRING,
    JsonSerde,
    Record,
    Serde,
    Window,
    Windowed,
    partition_for,
)
from millstream.state import KeyValueStore

__all__ = [
    "BYTES",
    "FLOAT64",
    "INT32",
    "INT64",
    "STRING",
    "App",
    "CogroupedStream",
    "FailedRecord",
    "GlobalTable",
    "GroupedStream",
    "GroupedTable",
    "JsonSerde",
    "KeyValueStore",
    "Message",
    "MillstreamError",
    "Processor",
    "ProcessorContext",
    "Record",
    "RecordMetadata",
    "Serde",
    "SplitStream",
    "Stream",
    "Table",
    "TopologyError",
    "Window",
    "Windowed",
    "collect_list",
    "collect_set",
    "count",
    "count_distinct",
    "first",
    "histogram",
    "hopping",
    "join_window",
    "key_value_store",
    "last",
    "max",
    "mean",
    "min",
    "partition_for",
    "session",
    "sliding",
    "std",
    "sum",
    "top",
    "tumbling",
    "unlimited",
    "until_time_limit",
    "until_window_closes",
    "variance",
]
