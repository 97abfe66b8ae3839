"""What a program is written with."""

from millstream.dsl.aggregates import (
    approx_count_distinct,
    collect_list,
    collect_set,
    count,
    count_distinct,
    earliest,
    first,
    histogram,
    last,
    latest,
    max,  # noqa: A004 - the field's terms
    mean,
    min,  # noqa: A004
    quantile,
    quantiles,
    std,
    sum,  # noqa: A004
    top,
    variance,
)
from millstream.dsl.calls import async_calls
from millstream.dsl.stores import (
    in_memory,
    in_rocksdb,
    key_value_store,
    session_store,
    versioned_store,
    window_store,
)
from millstream.dsl.stream import CogroupedStream, GlobalTable, GroupedStream, GroupedTable, SplitStream, Stream, Table
from millstream.dsl.stream_joins import join_window
from millstream.dsl.suppression import until_time_limit, until_window_closes
from millstream.dsl.windows import hopping, session, sliding, tumbling, unlimited

__all__ = [
    "CogroupedStream",
    "GlobalTable",
    "GroupedStream",
    "GroupedTable",
    "SplitStream",
    "Stream",
    "Table",
    "approx_count_distinct",
    "async_calls",
    "collect_list",
    "collect_set",
    "count",
    "count_distinct",
    "earliest",
    "first",
    "histogram",
    "hopping",
    "in_memory",
    "in_rocksdb",
    "join_window",
    "key_value_store",
    "last",
    "latest",
    "max",
    "mean",
    "min",
    "quantile",
    "quantiles",
    "session",
    "session_store",
    "sliding",
    "std",
    "sum",
    "top",
    "tumbling",
    "unlimited",
    "until_time_limit",
    "until_window_closes",
    "variance",
    "versioned_store",
    "window_store",
]
