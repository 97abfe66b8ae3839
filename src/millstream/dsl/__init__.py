"""What a program is written with."""

from millstream.dsl.aggregates import count, first, last, max, mean, min, sum  # noqa: A004 - the field's terms
from millstream.dsl.stores import key_value_store
from millstream.dsl.stream import GlobalTable, GroupedStream, GroupedTable, Stream, Table
from millstream.dsl.stream_joins import join_window
from millstream.dsl.windows import hopping, session, sliding, tumbling, unlimited

__all__ = [
    "GlobalTable",
    "GroupedStream",
    "GroupedTable",
    "Stream",
    "Table",
    "count",
    "first",
    "hopping",
    "join_window",
    "key_value_store",
    "last",
    "max",
    "mean",
    "min",
    "session",
    "sliding",
    "sum",
    "tumbling",
    "unlimited",
]
