"""Wrong programs are refused while they are built: what is wrong, where in the user's file, what to do."""

from __future__ import annotations

import inspect
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import pytest

import millstream as ms
from millstream.plan.internal import internal_topics
from millstream.testing import TestDriver
from tests.driving import every


class Report(ms.Record):
    cdn: str
    n: int
    tags: list[str] = []


class Loose(ms.Record, frozen=False):
    cdn: str
    n: int


@dataclass
class Summary:
    n: int
    total: int


class Silent:
    """No processor: there is no process(record)."""


class Tag(ms.Record):
    text: str


def other_tag() -> Any:
    class Tag(ms.Record):
        number: int

    return Tag


async def fetch(*_: object) -> int:
    return 1


async def fetched(_: object) -> AsyncIterator[int]:
    yield 1


def twice(key: Any, value: Any) -> Iterator[Any]:
    yield from (key, value)


def number(value: Any) -> int | None:
    return 1


def moment(value: Any) -> datetime | None: ...


def connection(value: Any) -> socket.socket: ...  # type: ignore[empty-body]


class Fetching:
    async def __call__(self, value: object) -> None: ...


class Needy:
    def __init__(self, what: str) -> None: ...

    def process(self, record: ms.Message) -> None: ...


def nothing(*_: object) -> None: ...


NUMBERS = ms.key_value_store("numbers", value=int)

Wrong = Callable[[ms.App, "ms.Stream[str, Report]"], object]

WRONG: dict[str, tuple[Wrong, str]] = {
    "missing field in group_by": (
        lambda app, s: s.group_by("cdn", "city"),
        r"group_by at .*: Report has no field 'city'; it has cdn, n, tags$",
    ),
    "missing field in an aggregate": (
        lambda app, s: s.group_by("cdn").aggregate(total=ms.sum("bytes")),
        r"aggregate at .*: Report has no field 'bytes'",
    ),
    "a sum of text": (
        lambda app, s: s.group_by("n").aggregate(total=ms.sum("cdn")),
        r"aggregate at .*: total=ms\.sum\(\.\.\.\) is of numbers, and the field 'cdn' may be of type str; declare it",
    ),
    "a mean of lists, or of nothing": (
        lambda app, s: s.group_by("n").aggregate(usual=ms.mean("tags")),
        r"usual=ms\.mean\(\.\.\.\) is of numbers, and the field 'tags' may be of type list;",
    ),
    "a quantile of moments": (
        lambda app, s: s.group_by("n").aggregate(p=ms.quantile(moment, 0.5)),
        r"p=ms\.quantile\(\.\.\.\) is of numbers, and what its function makes may be of type datetime; declare it",
    ),
    "a sum of text in a grouped table": (
        lambda app, s: app.table("t", value=Report).group_by(lambda k, v: (v.cdn, v)).aggregate(all=ms.sum("cdn")),
        r"aggregate at .*: all=ms\.sum\(\.\.\.\) is of numbers",
    ),
    "a cogroup of windows that are emitted on their close": (
        lambda app, s: s.group_by_key().windowed_by(ms.tumbling(10)).emit_on_close().cogroup(lambda v, n: n),
        r"cogroup at .*: cogrouped streams have a time each.*suppress\(ms\.until_window_closes\(\)\)",
    ),
    "functions and declared aggregates": (
        lambda app, s: s.group_by("cdn").aggregate(  # type: ignore[call-overload]
            initializer=int, aggregator=lambda v, n: n, total=ms.sum("n")
        ),
        r"aggregate at .*: initializer= and total= don't go together; aggregate twice",
    ),
    "functions and a result type": (
        lambda app, s: s.group_by("cdn").aggregate(  # type: ignore[call-overload]
            Summary, initializer=int, aggregator=lambda v, n: n
        ),
        r"aggregate at .*: initializer= and the result .*Summary.* don't go together",
    ),
    "an aggregate that cannot take a value out": (
        lambda app, s: app.table("t", value=Report).group_by(lambda k, v: (v.cdn, v)).aggregate(least=ms.min("n")),
        r"aggregate at .*: least=ms\.min\(\.\.\.\) cannot take a value out again.*use ms\.quantile\(field, 0\)",
    ),
    "an adder without a subtractor": (
        lambda app, s: (
            app.table("t", value=Report).group_by(lambda k, v: (v.cdn, v)).aggregate(int, lambda k, v, n: n)  # type: ignore[call-overload]
        ),
        r"aggregate at .*: initializer, adder and subtractor go together",
    ),
    "nothing to group by": (lambda app, s: s.group_by(), r"group_by at .*: give one or more field names, or one"),
    "field and function": (lambda app, s: s.group_by("cdn", len), r"group_by at .*: give one or more field names"),  # type: ignore[call-overload]
    "too many parameters": (
        lambda app, s: s.filter(lambda a, b, c: True),  # type: ignore[call-overload]
        r"filter at .*<lambda> takes 3 arguments, but it is called with the value or with the key in front",
    ),
    "too few parameters": (lambda app, s: s.map_values(lambda: 1), r"map_values at .*takes 0 arguments"),  # type: ignore[call-overload]
    "a reducer with the key": (
        lambda app, s: s.group_by_key().reduce(lambda k, a, b: a),  # type: ignore[misc, arg-type]
        r"reduce at .*takes 3 arguments, but it is called with two values",
    ),
    "an aggregate's function with the key": (
        lambda app, s: s.group_by_key().aggregate(n=ms.sum(lambda k, v: 1)),  # type: ignore[misc, arg-type]
        r"aggregate at .*takes 2 arguments, but it is called with the value",
    ),
    "an initializer with arguments": (
        lambda app, s: s.group_by_key().aggregate(initializer=lambda x: x, aggregator=lambda v, t: t),  # type: ignore[misc, arg-type]
        r"aggregate at .*takes 1 arguments, but it is called with none",
    ),
    "an aggregator alone": (
        lambda app, s: s.group_by_key().aggregate(aggregator=lambda v, t: t),
        r"aggregate at .*: initializer= and aggregator= go together",
    ),
    "no function": (lambda app, s: s.filter(True), r"filter at .*: expected a function, got True"),  # type: ignore[call-overload]
    "a time function of three": (
        lambda app, s: app.stream("x", time=lambda a, b, c: 1),
        r"stream at .*: time= takes \(value\), \(key, value\) or .*, not 3 arguments",
    ),
    "no topic": (lambda app, s: app.stream(), r"stream at .*: give one or more names of topics"),
    "empty topic": (lambda app, s: s.to(""), r"to at .*: expected a topic's name.* got ''"),
    "a value that is no type": (
        lambda app, s: app.stream("x", value=5),
        r"stream at .*: 5 is no type of values that can be read and written",
    ),
    "a key that is no type": (
        lambda app, s: app.stream("x", key=5),
        r"stream at .*: 5 is no type of keys that can be read and written",
    ),
    "the same topic with other types": (
        lambda app, s: app.stream("reports", value=str),
        r"stream at .*: stream at .* reads the same topic with other types; use the same",
    ),
    "the same topic with another time": (
        lambda app, s: app.stream("reports", value=Report, time=lambda v: v.n),
        r"stream at .*: stream at .* reads the same topic with another time=; use the same",
    ),
    "merge of two types": (
        lambda app, s: s.merge(app.stream("x", value=str)),  # type: ignore[arg-type]
        r"merge at .*different serdes, \(string, json\(Report\)\) and \(string, string\); bring both to one type",
    ),
    "merge of two apps": (
        lambda app, s: s.merge(every().stream("x", value=Report)),
        r"merge at .*: the streams belong to different apps",
    ),
    "join on other keys": (
        lambda app, s: s.join(app.table("t", key=int), nothing),
        r"join at .*: the stream's keys are string and the table's int64; use select_key",
    ),
    "join with another app's table": (
        lambda app, s: s.join(every().table("t"), lambda a, b: a),
        r"join at .*: the stream and the table belong to different apps",
    ),
    "join with another app's global table": (
        lambda app, s: s.join(every().global_table("g"), lambda a, b: a, key=lambda v: v.cdn),
        r"join at .*: the stream and the global table belong to different apps",
    ),
    "a global join without a key": (
        lambda app, s: s.join(app.global_table("g"), lambda a, b: a),  # type: ignore[call-overload]
        r"join at .*: a global table needs key=",
    ),
    "a table join with a key": (
        lambda app, s: s.left_join(app.table("t"), lambda a, b: a, key=lambda v: v),  # type: ignore[call-overload]
        r"left_join at .*: key= is for global tables",
    ),
    "a join with a number": (
        lambda app, s: s.join(5, lambda a, b: a),  # type: ignore[call-overload]
        r"join at .*: expected a .*table.*, got int",
    ),
    "a result without the column": (
        lambda app, s: s.group_by_key().aggregate(Summary, n=ms.count(), total=ms.sum("n"), mean=ms.mean("n")),
        r"aggregate at .*: Summary has no field 'mean'; it has n, total",
    ),
    "a result with more than the columns": (
        lambda app, s: s.group_by_key().aggregate(Summary, n=ms.count()),
        r"aggregate at .*: Summary needs total; give total=",
    ),
    "a result that is no record": (
        lambda app, s: s.group_by_key().aggregate(dict, n=ms.count()),
        r"aggregate at .*: the result must be a record type",
    ),
    "no aggregate": (lambda app, s: s.group_by_key().aggregate(n=3), r"aggregate at .*: n= is not an aggregate"),  # type: ignore[arg-type]
    "nothing to aggregate": (lambda app, s: s.group_by_key().aggregate(Summary), r"aggregate at .*: nothing to aggr"),
    "keys without a type": (
        lambda app, s: app.stream("x", key=Any).group_by_key().count(),
        r"count at .*: the keys of store .* have no declared type that can be compared",
    ),
    "keys that are lists": (
        lambda app, s: s.group_by(lambda v: v.tags, key=list[str]).count(),
        r"count at .*: the keys of store .* have no declared type that can be compared \(json\(list\[str\]\)\)",
    ),
    "keys that can change": (
        lambda app, s: s.group_by(lambda v: Loose(v.cdn, 1), key=Loose).count(),
        r"count at .*: the keys of store .* have no declared type that can be compared",
    ),
    "keys that hold lists": (
        lambda app, s: s.group_by(lambda v: v, key=Report).count(),
        r"count at .*: the keys of store .* have no declared type that can be compared",
    ),
    "a store's bad name": (
        lambda app, s: s.group_by_key().count(store="a b"),
        r"count at .*: 'a b' cannot name a store, because a topic is named after it; use up to 200",
    ),
    "a repartition's bad name": (
        lambda app, s: s.group_by("cdn", name="a b").count(),
        r"group_by at .*: 'a b' cannot name an operator; use up to 249",
    ),
    "no partitions": (lambda app, s: s.repartition(name="r", partitions=0), r"repartition at .*: partitions must be 1"),
    "two repartitions of one name": (
        lambda app, s: (s.repartition(name="r"), s.repartition(name="r")),
        r"repartition at .*: there is already an internal topic named 'r-repartition'; give another name=",
    ),
    "two nodes of one name": (
        lambda app, s: (s.filter(lambda v: v, name="f"), s.filter(lambda v: v, name="f")),
        r"filter at .*: the name 'f' is already used by filter at .*; give another name=",
    ),
    "two stores of one name": (
        lambda app, s: (s.group_by_key().count(store="c"), s.group_by_key().count(store="c")),
        r"count at .*: there is already another store named 'c'; give another store=",
    ),
    "a store named like a global one": (
        lambda app, s: (app.global_table("g", store="c"), s.group_by_key().count(store="c")),
        r"count at .*: there is already a global table with the store 'c'",
    ),
    "a global table named like a store": (
        lambda app, s: (s.group_by_key().count(store="c"), app.global_table("g", store="c")),
        r"global_table at .*: there is already a store named 'c'",
    ),
    "a wrong emit": (
        lambda app, s: s.group_by_key().count(emit="all"),  # type: ignore[arg-type]
        r'count at .*: emit must be "every" or "latest", got \'all\'',
    ),
    "a table's wrong emit": (lambda app, s: app.table("t", emit="all"), r"table at .*: emit must be"),  # type: ignore[arg-type]
    "a window of nothing": (lambda app, s: ms.tumbling(0), r"tumbling at .*: the window's size must be more than 0"),
    "a window in words": (
        lambda app, s: ms.tumbling("soon"),
        r"tumbling at .*: 'soon' is not a duration; write it like",
    ),
    "a window with gaps": (
        lambda app, s: ms.hopping("5s", advance="6s"),
        r"hopping at .*: advance must be more than 0 and at most the size, got 6000 ms",
    ),
    "a window that never advances": (
        lambda app, s: ms.hopping("5s", advance=0),
        r"hopping at .*: advance must be more",
    ),
    "negative grace": (lambda app, s: ms.tumbling("5s", grace=-1), r"tumbling at .*: grace must not be negative"),
    "no windows": (lambda app, s: s.group_by_key().windowed_by("5s"), r"windowed_by at .*: expected windows such as"),  # type: ignore[arg-type]
    "a processor that is one already": (
        lambda app, s: s.process(Needy("x")),  # type: ignore[arg-type]
        r"process at .*: expected a processor class or a function that makes one",
    ),
    "a processor without process": (
        lambda app, s: s.process(Silent),
        r"process at .*: Silent has no process\(record\)",
    ),
    "a processor that needs something": (
        lambda app, s: s.process(Needy),  # type: ignore[arg-type]
        r"process at .*: Needy takes 1 arguments, but it is called with none",
    ),
    "a global table's store by name": (
        lambda app, s: (app.global_table("g", value=str, store="places"), s.process(nothing, stores=["places"])),
        r"process at .*: 'places' is of a global table, which every processor sees; leave it out",
    ),
    "one store in place of a list": (
        lambda app, s: s.process(nothing, stores=NUMBERS),  # type: ignore[call-overload]
        r"process at .*: stores are given as a list",
    ),
    "a window kept for less than its size": (
        lambda app, s: ms.window_store("w", "1h", retention="10m"),
        r"window_store at .*: a window is kept at least as long as it is: retention is 600000 ms, the size 3600000 ms",
    ),
    "a retention that is no duration": (
        lambda app, s: ms.session_store("w", retention="long"),
        r"session_store at .*: retention: 'long' is not a duration",
    ),
    "a negative history": (
        lambda app, s: ms.versioned_store("w", history=-1),
        r"versioned_store at .*: history must not be negative",
    ),
    "a store that nobody declared": (
        lambda app, s: s.process(lambda: Needy("x"), stores=["numbers"]),
        r"process at .*: there is no store named 'numbers' so far; declare it with ms.key_value_store",
    ),
    "another store of that name": (
        lambda app, s: (
            s.process(lambda: Needy("x"), stores=[NUMBERS]),
            s.process(lambda: Needy("x"), stores=[ms.key_value_store("numbers", value=str)]),
        ),
        r"process at .*: there is already another store named 'numbers'",
    ),
    "a topic as a stream and a table": (
        lambda app, s: (app.table("reports", value=Report), app.topology()),
        r"table at .*: topic 'reports' is already read by stream at .*; read it once",
    ),
    "a topic as a table and a stream": (
        lambda app, s: (app.table("t", value=Report), app.stream("t", value=Report), app.topology()),
        r"stream at .*: topic 't' is already read by table at .*; read it once",
    ),
    "a topic as a stream and a global table": (
        lambda app, s: (app.global_table("reports"), app.topology()),
        r"stream at .*: topic 'reports' is already read by global_table at .*; read it once",
    ),
    "overlapping topics": (
        lambda app, s: (app.stream("reports", "x", value=Report), app.topology()),
        r"stream at .*: topic 'reports' is already read by stream at ",
    ),
    "a field that is nearly there": (
        lambda app, s: s.group_by("cnd"),
        r"group_by at .*: Report has no field 'cnd'; it has cdn, n, tags; did you mean 'cdn'\?",
    ),
    "an aggregate of a field that is nearly there": (
        lambda app, s: s.group_by("cdn").aggregate(tag=ms.collect_list("tag")),
        r"aggregate at .*: Report has no field 'tag'; it has cdn, n, tags; did you mean 'tags'\?",
    ),
    "a column that the result nearly has": (
        lambda app, s: s.group_by_key().aggregate(Summary, n=ms.count(), totals=ms.sum("n")),
        r"aggregate at .*: Summary has no field 'totals'; it has n, total; did you mean 'total'\?",
    ),
    "an async mapper": (
        lambda app, s: s.map_values(fetch),
        r"map_values at .*: fetch is async, and nobody would await it; use map_values_async, or an asynchronous proc",
    ),
    "an async predicate of a table": (
        lambda app, s: app.table("t").filter(fetch),
        r"filter at .*: fetch is async, and nobody would await it",
    ),
    "an async joiner": (
        lambda app, s: s.join(app.table("t", value=Report), fetch),
        r"join at .*: fetch is async",
    ),
    "an async object": (lambda app, s: s.peek(Fetching()), r"peek at .*is async, and nobody would await it"),
    "a partial of an async function": (
        lambda app, s: s.select_key(partial(fetch, 1)),
        r"select_key at .*is async, and nobody would await it",
    ),
    "an async generator in flat_map_values": (
        lambda app, s: s.flat_map_values(fetched),  # type: ignore[arg-type]
        r"flat_map_values at .*: fetched is async, and nobody would await it",
    ),
    "a generator in map": (
        lambda app, s: s.map(twice),  # type: ignore[arg-type]
        r"map at .*: twice is a generator function, and the generator itself would be the result; use flat_map",
    ),
    "a generator in map_values": (
        lambda app, s: s.map_values(twice),
        r"map_values at .*: twice is a generator function, .* or return one",
    ),
    "a generator as a predicate": (lambda app, s: s.filter(twice), r"filter at .*: twice is a generator function"),
    "a generator as an aggregator": (
        lambda app, s: s.group_by_key().aggregate(initializer=int, aggregator=twice),  # type: ignore[arg-type, misc]
        r"aggregate at .*: twice is a generator function",
    ),
    "a stream's bad name": (
        lambda app, s: app.stream("x", name="a b"),
        r"stream at .*: 'a b' cannot name an operator; use up to 249",
    ),
    "a join's bad name": (
        lambda app, s: s.join(app.table("t"), lambda a, b: a, name="a/b"),
        r"join at .*: 'a/b' cannot name an operator",
    ),
    "an empty name": (lambda app, s: s.filter(lambda v: v, name=""), r"filter at .*: '' cannot name an operator"),
    "a processor's empty name": (
        lambda app, s: s.process(lambda: Needy("x"), name=""),
        r"process at .*: '' cannot name an operator",
    ),
    "a name of dots": (lambda app, s: s.to("x", name=".."), r"to at .*: '\.\.' cannot name an operator"),
    "a suppression's bad name": (
        lambda app, s: app.table("t").suppress(ms.until_time_limit(5), name="ä"),
        r"suppress at .*: 'ä-store' cannot name a store",
    ),
    "a topic's bad name": (lambda app, s: app.stream("a b"), r"stream at .*: 'a b' cannot name a topic; Kafka takes"),
    "a table's topic's bad name": (lambda app, s: app.table("a b"), r"table at .*: 'a b' cannot name a topic"),
    "a global table's bad topic": (
        lambda app, s: app.global_table("a#"),
        r"global_table at .*: 'a#' cannot name a topic",
    ),
    "a sink's bad topic": (
        lambda app, s: s.to("x" * 250),
        r"to at .*: 'x+' cannot name a topic; Kafka takes up to 249",
    ),
    "tables with other keys": (
        lambda app, s: app.table("t").join(app.table("u", key=int), lambda a, b: a),  # type: ignore[call-overload]
        r"join at .*: the left table's keys are string and the right one's int64; a join of tables is on equal keys",
    ),
    "tables with other keys of one name": (
        lambda app, s: app.table("t", key=Tag).join(app.table("u", key=other_tag()), lambda a, b: a),
        r"join at .*: the left table's keys are json\(Tag\) and the right one's json\(Tag\)",
    ),
    "streams with other keys": (
        lambda app, s: s.join(app.stream("x", key=int), lambda a, b: a, window=ms.join_window(5)),  # type: ignore[misc, arg-type]
        r"join at .*: the left stream's keys are string and the right one's int64; use select_key",
    ),
    "groups with other keys": (
        lambda app, s: s.group_by_key().cogroup(nothing).cogroup(app.stream("x", key=int).group_by_key(), nothing),
        r"cogroup at .*: the first group's keys are string and this one's int64; group both by the same type",
    ),
    "a foreign key of another type": (
        lambda app, s: app.table("t", value=Report).join(app.table("u"), lambda a, b: a, foreign_key=number),
        r"join at .*: number gives int, but the keys of the table looked up are str \(string\); let it give a key",
    ),
    "a global look-up by another type": (
        lambda app, s: s.left_join(app.global_table("g"), lambda a, b: a, key=number),
        r"left_join at .*: number gives int, but the keys of the table looked up are str",
    ),
    "table joins of two apps": (
        lambda app, s: app.table("t").outer_join(every().table("u"), lambda a, b: a),
        r"outer_join at .*: the tables belong to different apps",
    ),
    "foreign keys of two apps": (
        lambda app, s: app.table("t").join(every().table("u"), lambda a, b: a, foreign_key=lambda v: v),
        r"join at .*: the tables belong to different apps",
    ),
    "stream joins of two apps": (
        lambda app, s: s.outer_join(every().stream("x"), nothing, window=ms.join_window(5)),
        r"outer_join at .*: the streams belong to different apps",
    ),
    "cogroups of two apps": (
        lambda app, s: s.group_by_key().cogroup(nothing).cogroup(every().stream("x").group_by_key(), nothing),
        r"cogroup at .*: the streams belong to different apps",
    ),
    "a stream join without a window": (
        lambda app, s: s.join(app.stream("x"), nothing),  # type: ignore[call-overload]
        r"join at .*: streams are joined in a window; give window=",
    ),
    "suppression of a plain table": (
        lambda app, s: s.group_by_key().count().suppress(ms.until_window_closes()),
        r"suppress at .*: until_window_closes\(\) is for tables that come from a windowed aggregation",
    ),
    "suppression of a versioned table": (
        lambda app, s: app.table("t", history="1h").suppress(ms.until_time_limit(5)),
        r"suppress at .*: a versioned table cannot be suppressed",
    ),
    "suppression by a number": (lambda app, s: app.table("t").suppress(5), r"suppress at .*: give ms.until_window_cl"),  # type: ignore[arg-type]
    "a negative limit": (lambda app, s: ms.until_time_limit(-1), r"until_time_limit at .*: the limit must not be neg"),
    "a negative bound": (
        lambda app, s: ms.until_window_closes(max_records=-1),
        r"until_window_closes at .*: max_records must not be negative",
    ),
    "sessions without a merger": (
        lambda app, s: (
            s.group_by_key().windowed_by(ms.session(5)).aggregate(initializer=int, aggregator=lambda v, n: n + 1)
        ),
        r"aggregate at .*: sessions merge; give merger=",
    ),
    "a merger without sessions": (
        lambda app, s: s.group_by_key().aggregate(
            initializer=int, aggregator=lambda v, n: n + 1, merger=lambda a, b: a + b
        ),
        r"aggregate at .*: merger= is for sessions; nothing else merges. Leave it out, or call windowed_by",
    ),
    "a merger of other windows": (
        lambda app, s: (
            s.group_by_key()
            .windowed_by(ms.tumbling(5))
            .aggregate(initializer=int, aggregator=lambda v, n: n + 1, merger=lambda a, b: a + b)
        ),
        r"aggregate at .*: merger= is for sessions; nothing else merges",
    ),
    "a negative gap": (lambda app, s: ms.session(-1), r"session at .*: the gap must not be negative"),
    "a negative difference": (lambda app, s: ms.sliding(-1), r"sliding at .*: the difference must not be negative"),
    "a negative start": (lambda app, s: ms.unlimited(start=-1), r"unlimited at .*: the start must not be negative"),
    "a negative advance": (lambda app, s: ms.hopping(5, advance=-1), r"hopping at .*: advance must be more than 0"),
    "a negative size": (lambda app, s: ms.tumbling(-5), r"tumbling at .*: the window's size must be more than 0"),
    "sessions with negative grace": (lambda app, s: ms.session(5, grace=-1), r"session at .*: grace must not be neg"),
    "a join window that ends first": (
        lambda app, s: ms.join_window(before=5, after=-6),
        r"join_window at .*: the window ends before it begins; before \+ after must be 0 or more",
    ),
    "a join window of no size given": (lambda app, s: ms.join_window(), r"join_window at .*: give either the largest"),
    "a join window with negative grace": (
        lambda app, s: ms.join_window(5, grace=-1),
        r"join_window at .*: grace must not be negative",
    ),
    "closing without windows": (
        lambda app, s: s.group_by_key().emit_on_close(),
        r"emit_strategy at .*: windows are emitted so; call windowed_by",
    ),
    "a topic written into itself": (
        lambda app, s: (s.map_values(lambda v: v).to("reports"), app.topology()),
        r"to at .*: every record of topic 'reports' is written to 'reports' again and comes back to stream at ",
    ),
    "a topic written into itself by way of a merge": (
        lambda app, s: (s.merge(app.stream("x", value=Report)).select_key(str).to("x"), app.topology()),
        r"to at .*: every record of topic 'x' is written to 'x' again and comes back to stream at ",
    ),
    "a result that cannot be written": (
        lambda app, s: s.map_values(connection).to("x"),
        r"map_values at .*: <class 'socket\.socket'> is no type of values that can be read and written.*; give another",
    ),
    "a key that cannot be written": (
        lambda app, s: s.select_key(connection),
        r"select_key at .*: <class 'socket\.socket'> is no type of keys that can be read and written",
    ),
    "a sink's type that cannot be written": (
        lambda app, s: s.to("x", value=socket.socket),
        r"to at .*: <class 'socket\.socket'> is no type of values that can be read and written",
    ),
    "a field of texts": (
        lambda app, s: app.stream("x", value=str).group_by("cdn"),
        r"group_by at .*: values of type str have no field 'cdn'; give a function instead of a field's name",
    ),
    "a sum of a field of lists": (
        lambda app, s: app.stream("x", value=list[int]).group_by_key().aggregate(total=ms.sum("n")),
        r"aggregate at .*: values of type list have no field 'n'",
    ),
    "windows twice": (
        lambda app, s: s.group_by_key().windowed_by(ms.tumbling(5)).windowed_by(ms.tumbling(7)),
        r"windowed_by at .*: the group has windows already, .*size_ms=5.*; call windowed_by once",
    ),
    "windows twice over cogrouped streams": (
        lambda app, s: s.group_by_key().cogroup(nothing).windowed_by(ms.tumbling(5)).windowed_by(ms.session(5)),
        r"windowed_by at .*: the group has windows already",
    ),
    "one of several cogrouped streams with windows": (
        lambda app, s: s.group_by_key().cogroup(nothing).cogroup(s.group_by_key().windowed_by(ms.tumbling(5)), nothing),
        r"cogroup at .*: the group has windows of its own; call windowed_by on what cogroup gives",
    ),
    "a table with a negative history": (
        lambda app, s: app.table("x", value=Report, history=-1),
        r"table at .*: history must not be negative, got -1",
    ),
    "a history that is no time": (
        lambda app, s: s.group_by_key().count(history="long"),
        r"count at .*: history: 'long' is not a duration",
    ),
    "a store that nobody uses": (
        lambda app, s: (app.add_store(NUMBERS), app.topology()),
        r"add_store at .*: nobody uses the store 'numbers'; connect it to a processor, or leave it out",
    ),
    "cogrouped streams with new keys": (
        lambda app, s: (
            s.group_by("cdn").cogroup(nothing).cogroup(s.group_by("cdn"), nothing).aggregate(lambda: 0, value=int)
        ),
        r"aggregate at .*: 2 of the cogrouped streams have new keys and need a repartition topic each",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_refused_where_it_is_written(name: str) -> None:
    build, message = WRONG[name]
    app = every()
    stream = app.stream("reports", value=Report)
    with pytest.raises(ms.TopologyError, match=message) as caught:
        build(app, stream)
    assert caught.value.exit_status == 2
    stream_line = stream.handle.builder.node(stream.handle.node).site.line
    points_into(str(caught.value), build, stream_line)


def points_into(said: str, build: Wrong, *more: int) -> None:
    """Each place that a message names is a line of the user's function, or one of `more`; there is one at least."""
    lines, first = inspect.getsourcelines(build)
    places = [int(line) for line in re.findall(r"test_refused\.py:(\d+)", said)]
    assert places, said
    assert all(first <= line < first + len(lines) or line in more for line in places), said


def test_an_empty_program() -> None:
    with pytest.raises(ms.TopologyError, match=r"has no stream or table; begin with app.stream"):
        every().topology()


def refused_counts(app: ms.App, **counts: int) -> str:
    with pytest.raises(ms.TopologyError) as caught:
        internal_topics(app.topology(), "app", counts)
    assert "test_refused.py:" in str(caught.value)
    return str(caught.value)


def test_a_missing_source_topic() -> None:  # X10
    app = every()
    app.stream("in", "other", value=str).to("out")
    said = refused_counts(app, **{"in": 1})
    assert said.endswith("source topic 'other' does not exist; create it first")


def test_joined_topics_with_different_counts() -> None:  # O8, Z6
    app = every()
    app.stream("s").join(app.table("t"), lambda v, row: v).to("out")
    said = refused_counts(app, s=2, t=3)
    assert "the topics joined must have the same number of partitions, but s has 2, t has 3; repartition one" in said


def test_joined_tables_with_different_counts() -> None:  # O8, Z6
    app = every()
    app.table("t").join(app.table("u"), lambda a, b: a).to_stream().to("out")
    assert "join at" in refused_counts(app, t=4, u=3)


def test_a_repartition_topic_of_another_width() -> None:  # O8
    app = every()
    app.stream("s").repartition(name="wide", partitions=5).join(app.table("t"), lambda v, row: v).to("out")
    said = refused_counts(app, s=2, t=3)
    assert "t has 3, wide-repartition has 5; repartition one side, or create the topics alike" in said


def test_repartition_topics_of_different_widths_are_refused_when_the_program_is_built() -> None:  # O8
    app = every()
    narrow = app.stream("s").repartition(name="narrow", partitions=3)
    wide = app.stream("u").repartition(name="wide", partitions=4)
    narrow.join(wide, lambda a, b: a, window=ms.join_window("1s")).to("out")
    with pytest.raises(
        ms.MillstreamError, match=r"join at .*test_refused.py:\d+: .*narrow-repartition has 3, wide-repartition has 4"
    ):
        app.topology()


def test_a_stream_that_is_never_consumed_is_fine() -> None:
    app = every()
    app.stream("s")
    assert len(app.topology().nodes) == 1


def test_a_topic_that_is_written_and_read_with_a_filter_between_is_fine() -> None:  # D2
    app = every()
    app.stream("s", value=int).filter(lambda v: v < 3).map_values(lambda v: v + 1, value=int).to("s")
    assert len(app.topology().nodes) == 4


def test_a_store_that_the_processor_was_not_given() -> None:
    """Known when the processor asks: at the start."""

    class Asking:
        def init(self, context: ms.ProcessorContext) -> None:
            context.get_state_store("counts")

        def process(self, record: ms.Message) -> None: ...

    app = every()
    stream = app.stream("s", value=str)
    stream.group_by_key().count(store="counts")
    stream.process(Asking)
    with pytest.raises(
        ms.MillstreamError, match=r"process at .*test_refused.py:\d+.*the store 'counts' is not connected"
    ):
        TestDriver(app)
