"""Streams, groups and tables: the forms that data has in a program. They lead into one another, so they stand together.

A function given to an operator takes the value; one that declares two parameters gets (key, value). Each method adds an
operator to the program and returns what comes after it. `name` names the operator; `key`, `value` and `result` are the
types or serdes of what the operator makes, where they can't be told from the function's annotations.

What cannot work is refused where it is written, with a `TopologyError` that names the operator and its line. Rule ids
such as J8 are told of in docs/rules.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from os import PathLike
from typing import Any, Generic, TypeAlias, TypeVar, overload

from millstream.dsl import steps, tables
from millstream.dsl.aggregates import DeclaredAggregate
from millstream.dsl.aggregation import Kept, Materialized, aggregated, declared, folded, refuse_mixture
from millstream.dsl.branches import Splitting, branched
from millstream.dsl.calls import checked_calls, mapped_values_async
from millstream.dsl.cogroup import Cogrouping, Group, check_group, cogrouped
from millstream.dsl.foreign_key import foreign_key_joined
from millstream.dsl.grouping import GroupName, grouped
from millstream.dsl.handle import Handle, value_serde
from millstream.dsl.joins import global_joined, table_joined
from millstream.dsl.late import late_records
from millstream.dsl.processing import processed
from millstream.dsl.stream_joins import StreamJoining, streams_joined
from millstream.dsl.suppression import Suppression, suppressed
from millstream.dsl.windowed import EmitStrategy, Windowing, windowing
from millstream.duration import Duration
from millstream.errors import TopologyError
from millstream.plan.aggregation import Balanced, Counted, Declared, Reduced
from millstream.plan.calls import Calls
from millstream.plan.function import user_function
from millstream.plan.nodes import Emit, Partitioner, RepartitionTopic, StoreSpec, ToStream
from millstream.plan.site import call_site
from millstream.plan.stream_joins import JoinWindow
from millstream.plan.tables import JoinKind
from millstream.plan.windows import Windows
from millstream.serde import INT64, Serde, Windowed

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")
W = TypeVar("W")

# a class or a function that makes processors, or a generator function of a record
Supplier: TypeAlias = Callable[[], Any] | Callable[[Any], Iterable[Any]] | Callable[[Any], AsyncIterable[Any]]


class Stream(Generic[K, V]):
    """An unbounded sequence of records, as Kafka Streams' `KStream`.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("shop")
    >>> orders = app.stream("orders", value=str)
    >>> orders.filter(lambda order: order != "test").map_values(str.upper, value=str).to("out")
    >>> drive(app, ("orders", "ann", "tea"), ("orders", "ann", "test"))
    {'out': [('ann', 'TEA')]}
    """

    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    # --- one record at a time

    @overload
    def filter(self, predicate: Callable[[V], object], *, name: str | None = None) -> Stream[K, V]: ...
    @overload
    def filter(self, predicate: Callable[[K, V], object], *, name: str | None = None) -> Stream[K, V]: ...
    def filter(self, predicate: Callable[..., object], *, name: str | None = None) -> Stream[K, V]:
        """Keep the records for which the predicate holds.

        It takes the value, or (key, value), and says something that counts as true or not.

        Null keys and values reach it as None. If it fails, `on_error` decides about the record.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> app.stream("orders", value=str).filter(lambda order: order != "test").to("out")
        >>> drive(app, ("orders", "ann", "tea"), ("orders", "bob", "test"))
        {'out': [('ann', 'tea')]}
        """
        return Stream(steps.filtered(self.handle, predicate, name, negated=False))

    @overload
    def filter_not(self, predicate: Callable[[V], object], *, name: str | None = None) -> Stream[K, V]: ...
    @overload
    def filter_not(self, predicate: Callable[[K, V], object], *, name: str | None = None) -> Stream[K, V]: ...
    def filter_not(self, predicate: Callable[..., object], *, name: str | None = None) -> Stream[K, V]:
        """Keep the records for which the predicate does not hold.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> app.stream("orders", value=str).filter_not(lambda customer, order: customer == "intern").to("out")
        >>> drive(app, ("orders", "ann", "tea"), ("orders", "intern", "tea"))
        {'out': [('ann', 'tea')]}
        """
        return Stream(steps.filtered(self.handle, predicate, name, negated=True))

    @overload
    def map_values(self, mapper: Callable[[V], V2], *, value: Any = None, name: str | None = None) -> Stream[K, V2]: ...
    @overload
    def map_values(
        self, mapper: Callable[[K, V], V2], *, value: Any = None, name: str | None = None
    ) -> Stream[K, V2]: ...
    def map_values(self, mapper: Callable[..., Any], *, value: Any = None, name: str | None = None) -> Stream[K, Any]:
        """A new value for each record; the key stays, so that nothing has to be repartitioned behind it (rule O3).

        `value` is the type or serde of the result, where the function's annotations don't tell it; any JSON otherwise.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> orders = app.stream("orders", value=str)
        >>> orders.map_values(lambda customer, order: f"{order} for {customer}", value=str).to("out")
        >>> drive(app, ("orders", "ann", "tea"))
        {'out': [('ann', 'tea for ann')]}
        """
        return Stream(steps.mapped_values(self.handle, mapper, value, name))

    @overload
    def map_values_async(
        self,
        mapper: Callable[[V], Awaitable[V2]],
        *,
        concurrency: int = 100,
        timeout: Duration | None = "30s",
        retries: int = 0,
        backoff: Duration = "100ms",
        value: Any = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def map_values_async(
        self,
        mapper: Callable[[K, V], Awaitable[V2]],
        *,
        concurrency: int = 100,
        timeout: Duration | None = "30s",
        retries: int = 0,
        backoff: Duration = "100ms",
        value: Any = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    def map_values_async(
        self,
        mapper: Callable[..., Awaitable[Any]],
        *,
        concurrency: int = 100,
        timeout: Duration | None = "30s",
        retries: int = 0,
        backoff: Duration = "100ms",
        value: Any = None,
        name: str | None = None,
    ) -> Stream[K, Any]:
        """A new value that is awaited, such as the answer of a service; the key stays, and so does the records' order.

        Up to `concurrency` calls of a task are under way at a time; all of a round's are done before the commit that
        covers them. A call that fails, or takes longer than `timeout`, is made again up to `retries` times, after
        `backoff` and then twice that; then `on_error` decides about its record. An operator with a client to open and
        close is written with `process_values`.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> async def rated(line: str) -> int:
        ...     return len(line)  # here a service would be asked
        >>> app = ms.App("lines")
        >>> app.stream("lines", value=str).map_values_async(rated, concurrency=20, timeout="5s").to("ratings")
        >>> drive(app, ("lines", "a", "good"), ("lines", "b", "so so"))
        {'ratings': [('a', 4), ('b', 5)]}
        """
        calls = checked_calls((concurrency, timeout, retries, backoff), call_site("map_values_async"))
        return Stream(mapped_values_async(self.handle, mapper, calls, value, name))

    def map(
        self, mapper: Callable[[K, V], tuple[K2, V2]], *, key: Any = None, value: Any = None, name: str | None = None
    ) -> Stream[K2, V2]:
        """A new (key, value) for each record, made by a function of both.

        Whatever the function does, the key counts as changed: what groups or joins behind it goes through a repartition
        topic.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> app.stream("orders", value=str).map(lambda customer, order: (order, customer), value=str).to("out")
        >>> drive(app, ("orders", "ann", "tea"))
        {'out': [('tea', 'ann')]}
        """
        return Stream(steps.mapped(self.handle, mapper, (key, value), name))

    @overload
    def select_key(self, mapper: Callable[[V], K2], *, key: Any = None, name: str | None = None) -> Stream[K2, V]: ...
    @overload
    def select_key(
        self, mapper: Callable[[K, V], K2], *, key: Any = None, name: str | None = None
    ) -> Stream[K2, V]: ...
    def select_key(self, mapper: Callable[..., Any], *, key: Any = None, name: str | None = None) -> Stream[Any, V]:
        """A new key for each record; the value stays. Keys are strings unless declared otherwise.

        The key counts as changed: what groups or joins behind it goes through a repartition topic.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> app.stream("orders", value=str).select_key(len, key=int).to("by-length")
        >>> drive(app, ("orders", "ann", "tea"))
        {'by-length': [(3, 'tea')]}
        """
        return Stream(steps.key_selected(self.handle, mapper, key, name))

    def flat_map(
        self,
        mapper: Callable[[K, V], Iterable[tuple[K2, V2]]],
        *,
        key: Any = None,
        value: Any = None,
        name: str | None = None,
    ) -> Stream[K2, V2]:
        """Any number of (key, value) pairs for each record, in the order in which the function gives them.

        The key counts as changed: what groups or joins behind it goes through a repartition topic. Where the function
        fails in the middle, what it gave before has gone on.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> orders = app.stream("orders", value=str)
        >>> orders.flat_map(lambda who, order: [(item, who) for item in order.split("+")], value=str).to("items")
        >>> drive(app, ("orders", "ann", "tea+cake"))
        {'items': [('tea', 'ann'), ('cake', 'ann')]}
        """
        return Stream(steps.flat_mapped(self.handle, mapper, (key, value), name))

    @overload
    def flat_map_values(
        self, mapper: Callable[[V], Iterable[V2]], *, value: Any = None, name: str | None = None
    ) -> Stream[K, V2]: ...
    @overload
    def flat_map_values(
        self, mapper: Callable[[K, V], Iterable[V2]], *, value: Any = None, name: str | None = None
    ) -> Stream[K, V2]: ...
    def flat_map_values(
        self, mapper: Callable[..., Iterable[Any]], *, value: Any = None, name: str | None = None
    ) -> Stream[K, Any]:
        """Any number of values for each record, in the order in which the function gives them; the key stays.

        The function returns any iterable, also a generator. Where it fails in the middle, what it gave before has gone
        on.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> app.stream("orders", value=str).flat_map_values(lambda order: order.split("+"), value=str).to("items")
        >>> drive(app, ("orders", "ann", "tea+cake"))
        {'items': [('ann', 'tea'), ('ann', 'cake')]}
        """
        return Stream(steps.flat_mapped_values(self.handle, mapper, value, name))

    @overload
    def peek(self, action: Callable[[V], object], *, name: str | None = None) -> Stream[K, V]: ...
    @overload
    def peek(self, action: Callable[[K, V], object], *, name: str | None = None) -> Stream[K, V]: ...
    def peek(self, action: Callable[..., object], *, name: str | None = None) -> Stream[K, V]:
        """Call an action for each record, with the value or (key, value), and pass the record on as it was.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app, seen = ms.App("shop"), []
        >>> app.stream("orders", value=str).peek(seen.append).to("out")
        >>> drive(app, ("orders", "ann", "tea")), seen
        ({'out': [('ann', 'tea')]}, ['tea'])
        """
        return Stream(steps.peeked(self.handle, action, name, last=False))

    @overload
    def foreach(self, action: Callable[[V], object], *, name: str | None = None) -> None: ...
    @overload
    def foreach(self, action: Callable[[K, V], object], *, name: str | None = None) -> None: ...
    def foreach(self, action: Callable[..., object], *, name: str | None = None) -> None:
        """Call an action for each record, with the value or (key, value); the stream ends here.

        After a failure records are processed again, so the action may be called twice for one.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> app.stream("orders", value=str).foreach(lambda customer, order: print(customer, "wants", order))
        >>> drive(app, ("orders", "ann", "tea"))
        ann wants tea
        {}
        """
        steps.peeked(self.handle, action, name, last=True)

    def merge(self, other: Stream[K, V], *, name: str | None = None) -> Stream[K, V]:
        """The records of both streams; nothing is said about the order between them.

        Streams of different types are refused: bring them to one first, with `map_values`.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> app.stream("orders", value=str).merge(app.stream("old-orders", value=str)).to("out")
        >>> drive(app, ("orders", "ann", "tea"), ("old-orders", "bob", "soup"))
        {'out': [('ann', 'tea'), ('bob', 'soup')]}
        """
        return Stream(steps.merged(self.handle, other.handle, name))

    def split(self, *, name: str | None = None) -> SplitStream[K, V]:
        """Split by predicates: each record goes into the first branch whose predicate holds (rule O2).

        `name` stands in front of the branches' names.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("numbers")
        >>> numbers = app.stream("numbers", value=int)
        >>> parts = numbers.split().branch(lambda n: n < 0, name="negative").default_branch(name="rest")
        >>> sorted(parts)
        ['negative', 'rest']
        >>> parts["negative"].to("negative")
        >>> drive(app, ("numbers", "a", -1), ("numbers", "b", 1))
        {'negative': [('a', -1)]}
        """
        return SplitStream(Splitting(self.handle, name))

    @overload
    def branches(self, *predicates: Callable[[V], object]) -> tuple[Stream[K, V], ...]: ...
    @overload
    def branches(self, *predicates: Callable[[K, V], object]) -> tuple[Stream[K, V], ...]: ...
    def branches(self, *predicates: Callable[..., object]) -> tuple[Stream[K, V], ...]:
        """A stream for each predicate, with the records for which it is the first to hold, and one with the rest.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("numbers")
        >>> negative, zero, positive = app.stream("numbers", value=int).branches(lambda n: n < 0, lambda n: n == 0)
        >>> positive.to("positive")
        >>> drive(app, ("numbers", "a", -1), ("numbers", "b", 1))
        {'positive': [('b', 1)]}
        """
        return tuple(Stream(handle) for handle in branched(self.handle, predicates))

    @overload
    def process(
        self,
        supplier: Supplier,
        *,
        stores: Sequence[StoreSpec | str] = (),
        calls: Calls | None = None,
        value: type[V2] | Serde[V2],
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def process(
        self,
        supplier: Supplier,
        *,
        stores: Sequence[StoreSpec | str] = (),
        calls: Calls | None = None,
        key: type[K2] | Serde[K2],
        value: type[V2] | Serde[V2],
        name: str | None = None,
    ) -> Stream[K2, V2]: ...
    @overload
    def process(
        self,
        supplier: Supplier,
        *,
        stores: Sequence[StoreSpec | str] = (),
        calls: Calls | None = None,
        key: Any = None,
        value: Any = None,
        name: str | None = None,
    ) -> Stream[Any, Any]: ...
    def process(
        self,
        supplier: Supplier,
        *,
        stores: Sequence[StoreSpec | str] = (),
        calls: Calls | None = None,
        key: Any = None,
        value: Any = None,
        name: str | None = None,
    ) -> Stream[Any, Any]:
        """Records through a processor, which sees them with timestamp and headers, and may have stores and timers.

        It is an object with `process(record)`, made once for each task by `supplier`, or a generator function of the
        record, which yields what is passed on.

        `stores` are the stores that it sees (rule P7); a class may bring its own as the attribute `stores`. Keys keep
        their serde unless `key` is given, and count as changed. An async `process`, or an async generator, makes
        `calls` for several records at a time, and what it forwards keeps the order of its records.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> def by_item(record: ms.Message):
        ...     for item in record.value.split("+"):
        ...         yield record.with_key(item).with_value(record.key)
        >>> app = ms.App("shop")
        >>> app.stream("orders", value=str).process(by_item, value=str).to("items")
        >>> drive(app, ("orders", "ann", "tea+cake"))
        {'items': [('tea', 'ann'), ('cake', 'ann')]}
        """
        return Stream(processed(self.handle, supplier, stores, (key, value), name, calls=calls))

    @overload
    def process_values(
        self,
        supplier: Supplier,
        *,
        stores: Sequence[StoreSpec | str] = (),
        calls: Calls | None = None,
        value: type[V2] | Serde[V2],
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def process_values(
        self,
        supplier: Supplier,
        *,
        stores: Sequence[StoreSpec | str] = (),
        calls: Calls | None = None,
        value: Any = None,
        name: str | None = None,
    ) -> Stream[K, Any]: ...
    def process_values(
        self,
        supplier: Supplier,
        *,
        stores: Sequence[StoreSpec | str] = (),
        calls: Calls | None = None,
        value: Any = None,
        name: str | None = None,
    ) -> Stream[K, Any]:
        """As `process`, but records keep their key, so that nothing has to be repartitioned behind it (rule O3).

        The processor forwards what it was given, changed by `with_value`, `with_timestamp` or `with_headers`.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> class Numbered:
        ...     stores = [ms.key_value_store("seen", value=int)]
        ...     def init(self, context):
        ...         self.context, self.seen = context, context.get_state_store("seen")
        ...     def process(self, record):
        ...         number = (self.seen.get(record.key) or 0) + 1
        ...         self.seen.put(record.key, number)
        ...         self.context.forward(record.with_value(f"{number}. {record.value}"))
        >>> app = ms.App("shop")
        >>> app.stream("orders", value=str).process_values(Numbered, value=str).to("out")
        >>> drive(app, ("orders", "ann", "tea"), ("orders", "bob", "pie"), ("orders", "ann", "cake"))
        {'out': [('ann', '1. tea'), ('bob', '1. pie'), ('ann', '2. cake')]}
        """
        return Stream(processed(self.handle, supplier, stores, (None, value), name, calls=calls, fixed_key=True))

    # --- groups and joins

    @overload
    def group_by(self, *keys: str, key: type[K2] | Serde[K2], name: str | None = None) -> GroupedStream[K2, V]: ...
    @overload
    def group_by(self, *keys: str, key: Any = None, name: str | None = None) -> GroupedStream[Any, V]: ...
    @overload
    def group_by(
        self, keys: Callable[[V], K2], /, *, key: Any = None, name: str | None = None
    ) -> GroupedStream[K2, V]: ...
    @overload
    def group_by(
        self, keys: Callable[[K, V], K2], /, *, key: Any = None, name: str | None = None
    ) -> GroupedStream[K2, V]: ...
    def group_by(self, *keys: Any, key: Any = None, name: str | None = None) -> GroupedStream[Any, V]:
        """Group by fields of the value, or by what a function makes of it; an aggregation follows.

        Several fields make a composite key: a JSON object on the wire, a frozen record in Python, of the type `key` if
        that is given. Records go through a repartition topic, so that all of one key meet in one task; `name` names
        that topic. Records whose key is null are dropped. A field that the value's type lacks is refused, with the
        nearest name.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> class Order(ms.Record):
        ...     shop: str
        ...     item: str
        >>> app = ms.App("shop")
        >>> orders = app.stream("orders", value=Order)
        >>> orders.group_by("shop").count().to_stream().to("by-shop")
        >>> orders.group_by("shop", "item").count().to_stream().to("by-both")
        >>> drive(app, ("orders", None, Order(shop="north", item="tea")))
        {'by-shop': [('north', 1)], 'by-both': [(Key(shop='north', item='tea'), 1)]}
        """
        return GroupedStream(grouped(self.handle, keys, key, name), GroupName(name))

    def group_by_key(self, *, name: str | None = None) -> GroupedStream[K, V]:
        """Group by the key that records have; an aggregation follows.

        Records go through a repartition topic only if an operator before may have changed the key; `name` names that
        topic.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> app.stream("orders", value=str).group_by_key().count().to_stream().to("orders-of")
        >>> drive(app, ("orders", "ann", "tea"), ("orders", "ann", "cake"))
        {'orders-of': [('ann', 1), ('ann', 2)]}
        """
        return GroupedStream(self.handle, GroupName(name))

    @overload
    def join(
        self,
        other: Stream[K, W],
        value: Callable[[V, W], V2],
        *,
        window: JoinWindow,
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def join(
        self,
        other: Stream[K, W],
        value: Callable[[K, V, W], V2],
        *,
        window: JoinWindow,
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def join(
        self,
        other: Table[K, W],
        value: Callable[[V, W], V2],
        *,
        result: Any = None,
        grace: Duration | None = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def join(
        self,
        other: Table[K, W],
        value: Callable[[K, V, W], V2],
        *,
        result: Any = None,
        grace: Duration | None = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def join(
        self,
        other: GlobalTable[Any, W],
        value: Callable[[V, W], V2],
        *,
        key: Callable[[V], Any],
        result: Any = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def join(
        self,
        other: GlobalTable[Any, W],
        value: Callable[[V, W], V2],
        *,
        key: Callable[[K, V], Any],
        result: Any = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def join(
        self,
        other: GlobalTable[Any, W],
        value: Callable[[K, V, W], V2],
        *,
        key: Callable[[V], Any],
        result: Any = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def join(
        self,
        other: GlobalTable[Any, W],
        value: Callable[[K, V, W], V2],
        *,
        key: Callable[[K, V], Any],
        result: Any = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    def join(
        self,
        other: Stream[Any, W] | Table[Any, W] | GlobalTable[Any, W],
        value: Callable[..., Any],
        *,
        key: Callable[..., Any] | None = None,
        window: JoinWindow | None = None,
        result: Any = None,
        grace: Duration | None = None,
        store: str | None = None,
        name: str | None = None,
    ) -> Stream[K, Any]:
        """Each record with what a table holds for it, or with the records of another stream in a window.

        With a table: the row at that moment; without one, nothing (rule J14). With another stream: every record of the
        same key within the `window` (rule J4).

        `value` makes the new value of (value, row), or of (key, value, row); `result` is its type or serde, where
        annotations don't tell it. With a global table `key` names the row to look up (rule J15). With a versioned
        table, `grace` lets records wait until the stream is that much further, so that rows of their time that come
        late are met (rule J17). `store` names the stores of a join of two streams.

        A result has the record's timestamp, of two records the larger one. Null values are dropped. But for a global
        table null keys are too, and both sides have keys of one type and as many partitions; what hasn't is refused.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> orders, customers = app.stream("orders", value=str), app.table("customers", value=str)
        >>> orders.join(customers, lambda order, city: f"{order} to {city}", result=str).to("out")
        >>> drive(app, ("orders", "ann", "tea"), ("customers", "ann", "Oslo"), ("orders", "ann", "cake"))
        {'out': [('ann', 'cake to Oslo')]}

        A global table by another key than the stream's, and another stream within a window of time:

        >>> app = ms.App("shop")
        >>> orders, prices = app.stream("orders", value=str), app.global_table("prices", value=int)
        >>> due = orders.join(prices, lambda order, price: price, key=lambda order: order, result=int)
        >>> window = ms.join_window("1h", grace="5m")
        >>> due.join(app.stream("payments", value=int), lambda due, paid: paid >= due, window=window).to("paid")
        >>> drive(app, ("prices", "tea", 4), ("orders", "ann", "tea", 0), ("payments", "ann", 5, 60_000))
        {'paid': [('ann', True)]}
        """
        if isinstance(other, Stream) or window is not None:
            return self._stream_join(other, StreamJoining("inner", window, value, result, store, name), key, grace)
        return self._join(other, (value, key), (result, grace, name), left=False)

    @overload
    def left_join(
        self,
        other: Stream[K, W],
        value: Callable[[V, W | None], V2],
        *,
        window: JoinWindow,
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def left_join(
        self,
        other: Stream[K, W],
        value: Callable[[K, V, W | None], V2],
        *,
        window: JoinWindow,
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def left_join(
        self,
        other: Table[K, W],
        value: Callable[[V, W | None], V2],
        *,
        result: Any = None,
        grace: Duration | None = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def left_join(
        self,
        other: Table[K, W],
        value: Callable[[K, V, W | None], V2],
        *,
        result: Any = None,
        grace: Duration | None = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def left_join(
        self,
        other: GlobalTable[Any, W],
        value: Callable[[V, W | None], V2],
        *,
        key: Callable[[V], Any],
        result: Any = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def left_join(
        self,
        other: GlobalTable[Any, W],
        value: Callable[[V, W | None], V2],
        *,
        key: Callable[[K, V], Any],
        result: Any = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def left_join(
        self,
        other: GlobalTable[Any, W],
        value: Callable[[K, V, W | None], V2],
        *,
        key: Callable[[V], Any],
        result: Any = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def left_join(
        self,
        other: GlobalTable[Any, W],
        value: Callable[[K, V, W | None], V2],
        *,
        key: Callable[[K, V], Any],
        result: Any = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    def left_join(
        self,
        other: Stream[Any, W] | Table[Any, W] | GlobalTable[Any, W],
        value: Callable[..., Any],
        *,
        key: Callable[..., Any] | None = None,
        window: JoinWindow | None = None,
        result: Any = None,
        grace: Duration | None = None,
        store: str | None = None,
        name: str | None = None,
    ) -> Stream[K, Any]:
        """As `join`, but a record without another side goes on too, joined with None.

        With a table that is at once, with another stream when its window and grace are over (rules J5, J8).

        A null key has no other side, and goes on with None at once.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> orders, customers = app.stream("orders", value=str), app.table("customers", value=str)
        >>> orders.left_join(customers, lambda order, city: f"{order} to {city}", result=str).to("out")
        >>> drive(app, ("customers", "ann", "Oslo"), ("orders", "ann", "tea"), ("orders", "bob", "pie"))
        {'out': [('ann', 'tea to Oslo'), ('bob', 'pie to None')]}

        With another stream; the record at 20 s tells that bob's 10 s are over:

        >>> app = ms.App("shop")
        >>> orders, payments = app.stream("orders", value=str), app.stream("payments", value=int)
        >>> orders.left_join(payments, lambda order, paid: [order, paid], window=ms.join_window("10s")).to("out")
        >>> drive(app, ("orders", "bob", "pie", 0), ("orders", "ann", "tea", 20_000), ("payments", "ann", 5, 21_000))
        {'out': [('bob', ['pie', None]), ('ann', ['tea', 5])]}
        """
        if isinstance(other, Stream) or window is not None:
            return self._stream_join(other, StreamJoining("left", window, value, result, store, name), key, grace)
        return self._join(other, (value, key), (result, grace, name), left=True)

    @overload
    def outer_join(
        self,
        other: Stream[K, W],
        value: Callable[[V | None, W | None], V2],
        *,
        window: JoinWindow,
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    @overload
    def outer_join(
        self,
        other: Stream[K, W],
        value: Callable[[K, V | None, W | None], V2],
        *,
        window: JoinWindow,
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
    ) -> Stream[K, V2]: ...
    def outer_join(
        self,
        other: Stream[Any, W],
        value: Callable[..., Any],
        *,
        window: JoinWindow | None = None,
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
    ) -> Stream[K, Any]:
        """As `left_join` of two streams, and the other stream's records without a partner go on with None as well.

        A record that goes on alone has its own timestamp, and does so when a later record, of either side and any key
        of the partition, has moved time past its window and grace (rule J8).

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> orders, payments = app.stream("orders", value=str), app.stream("payments", value=int)
        >>> told = orders.outer_join(payments, lambda order, paid: [order, paid], window=ms.join_window("10s"))
        >>> told.to("out")
        >>> drive(app, ("orders", "bob", "pie", 0), ("payments", "cleo", 7, 1_000), ("orders", "ann", "tea", 20_000))
        {'out': [('bob', ['pie', None]), ('cleo', [None, 7])]}
        """
        return self._stream_join(other, StreamJoining("outer", window, value, result, store, name))

    def _stream_join(
        self, other: Any, how: StreamJoining, key: object = None, grace: Duration | None = None
    ) -> Stream[K, Any]:
        site = call_site("join" if how.kind == "inner" else f"{how.kind}_join")
        if not isinstance(other, Stream):
            raise TopologyError(f"{site}: a window is for a join with another stream, got {type(other).__name__}")
        if key is not None or grace is not None:
            raise TopologyError(
                f"{site}: streams are joined on their own keys (use select_key), and the grace stands in the window: "
                "ms.join_window('5s', grace='1s')"
            )
        return Stream(streams_joined(self.handle, other.handle, how))

    def _join(
        self,
        other: Table[Any, Any] | GlobalTable[Any, Any],
        functions: tuple[Callable[..., Any], Callable[..., Any] | None],
        options: tuple[Any, Duration | None, str | None],
        *,
        left: bool,
    ) -> Stream[K, Any]:
        (joiner, key), (result, grace, name) = functions, options
        site = call_site("left_join" if left else "join")
        match other, key:
            case Table(), None:
                return Stream(table_joined(self.handle, other.handle, joiner, (result, grace, name), left=left))
            case Table(), _:
                raise TopologyError(f"{site}: key= is for global tables; a table is joined on the stream's own key")
            case GlobalTable(), None:
                raise TopologyError(f"{site}: a global table needs key=, the function that names the row to look up")
            case GlobalTable(store=str(store)), _:
                return Stream(global_joined(self.handle, store, (key, joiner), result, name, left=left))
            case _:
                raise TopologyError(f"{site}: expected a table or a global table, got {type(other).__name__}")

    def to_table(
        self,
        *,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
    ) -> Table[K, V]:
        """The latest value of each key as a table; null keys are dropped, null values delete (rule K6).

        With a `history` the table is versioned (rule K15). `store` names its store; if the key was changed before,
        records go through a repartition topic, which `name` names.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> table = app.stream("orders", value=str).select_key(len, key=int).to_table(store="latest")
        >>> table.to_stream().to("out")
        >>> drive(app, ("orders", "ann", "tea"), ("orders", "bob", "pie"))
        {'out': [(3, 'tea'), (3, 'pie')]}
        """
        return Table(tables.to_table(self.handle, Materialized(store, name, emit, history)))

    # --- topics

    def to(
        self,
        topic: str | Callable[[V], str] | Callable[[K, V], str] | Callable[[K, V, Any], str],
        *,
        key: Any = None,
        value: Any = None,
        partitioner: Partitioner | None = None,
        name: str | None = None,
    ) -> None:
        """Write the records to a topic, with the stream's serdes unless others are given.

        A function instead of the topic's name tells the topic of each record, from its value, from (key, value) or from
        (key, value, `ms.RecordContext`); these topics must exist. `partitioner` is called with (key, value, number of
        partitions) and gives the record's partition or several, nothing for the default by key, or an empty set to drop
        the record (rule O10). Records keep their timestamps and headers. What cannot be written with the serdes is for
        `on_send_error`.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("lines")
        >>> lines = app.stream("lines", value=str)
        >>> lines.to("copies", partitioner=lambda key, line, partitions: len(line) % partitions)
        >>> lines.to(lambda line: "long" if len(line) > 10 else "short")
        >>> drive(app, ("lines", "a", "a line"))
        {'copies': [('a', 'a line')], 'short': [('a', 'a line')]}
        """
        steps.sunk(self.handle, topic, (key, value), name, partitioner)

    def print(
        self,
        label: str | None = None,
        *,
        text: Callable[[V], str] | Callable[[K, V], str] | None = None,
        file: str | PathLike[str] | None = None,
        name: str | None = None,
    ) -> None:
        """Print each record as `[label]: key, value`, to standard output or to the end of a file.

        The label is the operator's name before it, unless one is given. `text` makes what stands behind it.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("lines")
        >>> app.stream("lines", value=str).print("line", text=lambda line: line.title())
        >>> drive(app, ("lines", "k", "the fox"))
        [line]: The Fox
        {}
        """
        steps.printed(self.handle, (label, text, file), name)

    def repartition(
        self,
        *,
        name: str | None = None,
        partitions: int | None = None,
        partitioner: Partitioner | None = None,
        key: Any = None,
        value: Any = None,
    ) -> Stream[K, V]:
        """Send the records through the internal topic `<app>-<name>-repartition`.

        They are partitioned by their key, or as the `partitioner` says (see `to`), and written with the stream's serdes
        unless others are given.

        It has as many `partitions` as are given, or else as the topics that it is fed from. Records without a key are
        dropped. Behind it the key counts as unchanged: what groups or joins by it needs no topic of its own (rule O3).

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> by_length = app.stream("orders", value=str).select_key(len, key=int)
        >>> by_length.repartition(name="by-length", partitions=6).to("out")
        >>> drive(app, ("orders", "ann", "tea"))
        {'out': [(3, 'tea')]}
        >>> [(topic.name, topic.partitions) for topic in app.topology().repartition_topics.values()]
        [('by-length-repartition', 6)]
        """
        site = call_site("repartition")
        handle = steps.with_serdes(self.handle, key, value)
        steps.check_partitioner(partitioner, site)
        topic = f"{name or handle.builder.name('KSTREAM-REPARTITION')}-repartition"
        through = RepartitionTopic(topic, partitions=partitions, partitioner=partitioner)
        return Stream(handle.through(through, site))


# what becomes of a branch: another stream, or nothing where it ends there
Then: TypeAlias = Callable[[Stream[K, V]], Stream[Any, Any] | None]


class SplitStream(Generic[K, V]):
    """A stream being split: `BranchedKStream`. `default_branch` or `no_default` end it, with the branches by name.

    A branch without a name has its number, from "1" on; the default one is "0".

    >>> import millstream as ms
    >>> numbers = ms.App("numbers").stream("numbers", value=int)
    >>> list(numbers.split().branch(lambda n: n < 0).branch(lambda n: n > 0, name="positive").default_branch())
    ['1', 'positive', '0']
    """

    def __init__(self, splitting: Splitting) -> None:
        self._splitting = splitting

    @overload
    def branch(
        self, predicate: Callable[[V], object], *, name: str | None = None, then: Then[K, V] | None = None
    ) -> SplitStream[K, V]: ...
    @overload
    def branch(
        self, predicate: Callable[[K, V], object], *, name: str | None = None, then: Then[K, V] | None = None
    ) -> SplitStream[K, V]: ...
    def branch(
        self, predicate: Callable[..., object], *, name: str | None = None, then: Then[K, V] | None = None
    ) -> SplitStream[K, V]:
        """The records for which this predicate is the first to hold.

        `then` is called with the branch; the stream that it returns takes the branch's place among the branches, and
        where it returns none, the branch is not among them.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("numbers")
        >>> parts = (
        ...     app.stream("numbers", value=int).split()
        ...     .branch(lambda n: n < 0, name="negative", then=lambda below: below.map_values(abs, value=int))
        ...     .branch(lambda n: n == 0, then=lambda zeros: zeros.to("zeros"))
        ...     .default_branch(name="rest")
        ... )
        >>> parts["negative"].to("out")
        >>> drive(app, ("numbers", "a", -3), ("numbers", "b", 0), ("numbers", "c", 5))
        {'out': [('a', 3)], 'zeros': [('b', 0)]}
        """
        self._follow(self._splitting.branch(predicate, name), then)
        return self

    def default_branch(self, *, name: str | None = None, then: Then[K, V] | None = None) -> dict[str, Stream[K, V]]:
        """The records for which no predicate holds, and all branches.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("numbers")
        >>> parts = app.stream("numbers", value=int).split().branch(lambda n: n < 0).default_branch(name="rest")
        >>> parts["rest"].to("out")
        >>> drive(app, ("numbers", "a", -3), ("numbers", "b", 5))
        {'out': [('b', 5)]}
        """
        self._follow(self._splitting.default(name), then)
        return self._branches()

    def no_default(self) -> dict[str, Stream[K, V]]:
        """All branches; records for which no predicate holds go nowhere.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("numbers")
        >>> parts = app.stream("numbers", value=int).split().branch(lambda n: n < 0, name="negative").no_default()
        >>> parts["negative"].to("out")
        >>> drive(app, ("numbers", "a", -3), ("numbers", "b", 5))
        {'out': [('a', -3)]}
        """
        self._splitting.no_default()
        return self._branches()

    def _follow(self, label: str, then: Then[K, V] | None) -> None:
        branches = self._splitting.branches
        if then is None:
            return
        made = then(Stream(branches[label]))
        if made is None:
            del branches[label]
        elif isinstance(made, Stream):
            branches[label] = made.handle
        else:
            raise TopologyError(f"{call_site('branch')}: then= makes a stream of a branch, or nothing, got {made!r}")

    def _branches(self) -> dict[str, Stream[K, V]]:
        return {name: Stream(handle) for name, handle in self._splitting.branches.items()}


class GroupedStream(Generic[K, V]):
    """A stream's records by key, ready to be aggregated: `KGroupedStream`.

    With windows it is what Kafka Streams calls `TimeWindowedKStream`, `SessionWindowedKStream`.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("shop")
    >>> grouped = app.stream("amounts", value=int).group_by_key()
    >>> grouped.reduce(lambda total, amount: total + amount).to_stream().to("totals")
    >>> drive(app, ("amounts", "ann", 3), ("amounts", "bob", 5), ("amounts", "ann", 4))
    {'totals': [('ann', 3), ('bob', 5), ('ann', 7)]}
    """

    def __init__(self, handle: Handle, name: GroupName, windows: Windowing | None = None) -> None:
        self.handle = handle
        self._name = name
        self._windows = windows

    def windowed_by(
        self, windows: Windows, *, retention: Duration | None = None, idle_after: Duration | None = None
    ) -> GroupedStream[Windowed[K], V]:
        """Aggregate by key and window of event time; results have `Windowed` keys.

        Windows are `ms.tumbling`, `ms.hopping`, `ms.sliding`, `ms.session` and `ms.unlimited`. `retention` keeps them
        for longer than records can reach them, for look-ups (rule W20). When no records have come for `idle_after`,
        windows that are emitted on their close, or suppressed until then, close by the wall clock: whatever the
        application's `idle` says. A record that comes when its window and grace are over is late: it is counted, and
        `Table.late` has it (rule W3).

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("site")
        >>> clicks = app.stream("clicks", value=str).group_by_key()
        >>> clicks.windowed_by(ms.session("30m", grace="5m")).count().to_stream().to("visits")
        >>> drive(app, ("clicks", "ann", "home", 0), ("clicks", "ann", "cart", 60_000))
        {'visits': [(ann@0/0, 1), (ann@0/0, None), (ann@0/60000, 2)]}
        """
        how = windowing(windows, retention, idle_after, call_site("windowed_by"), self._windows)
        return GroupedStream(self.handle, self._name, how)

    def emit_strategy(self, strategy: EmitStrategy) -> GroupedStream[K, V]:
        """When windows are emitted: `"window_update"`, with each change, or `"window_close"`, once, when they closed.

        A window closes when a record of any key of its partition has moved time past its end and grace (rule E7).

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("site")
        >>> clicks = app.stream("clicks", value=str).group_by_key().windowed_by(ms.tumbling("1m"))
        >>> clicks.emit_strategy("window_close").count().to_stream().to("clicks-per-minute")
        >>> drive(app, ("clicks", "ann", "x", 1_000), ("clicks", "ann", "x", 2_000), ("clicks", "bob", "x", 60_000))
        {'clicks-per-minute': [(ann@0/60000, 2)]}
        """
        site = call_site("emit_strategy")
        if self._windows is None:
            raise TopologyError(f"{site}: windows are emitted so; call windowed_by(...) before it")
        return GroupedStream(self.handle, self._name, self._windows.emitted(strategy, site))

    def emit_on_close(self) -> GroupedStream[K, V]:
        """Emit each window once, when it has closed: `emit_strategy("window_close")`.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("site")
        >>> clicks = app.stream("clicks", value=str).group_by_key().windowed_by(ms.tumbling("1m", grace="10s"))
        >>> clicks.emit_on_close().count().to_stream().to("clicks-per-minute")
        >>> drive(app, *[("clicks", "ann", "x", seconds * 1000) for seconds in (1, 2, 3, 69, 70)])
        {'clicks-per-minute': [(ann@0/60000, 3)]}
        """
        return self.emit_strategy("window_close")

    def cogroup(self, aggregator: Callable[..., V2 | None]) -> CogroupedStream[K, V2]:
        """Aggregate together with groups of other streams into one table (rule A5).

        Each has an aggregator, of (key, value, aggregate) or (value, aggregate); the initializer comes last.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("bank")
        >>> paid_in, drawn = app.stream("paid-in", value=int), app.stream("drawn", value=int)
        >>> put = paid_in.group_by_key().cogroup(lambda amount, balance: balance + amount)
        >>> both = put.cogroup(drawn.group_by_key(), lambda amount, balance: balance - amount)
        >>> both.aggregate(lambda: 0, value=int).to_stream().to("balances")
        >>> drive(app, ("paid-in", "ann", 100), ("drawn", "ann", 30))
        {'balances': [('ann', 100), ('ann', 70)]}
        """
        if self._windows is not None and self._windows.on_close:
            raise TopologyError(
                f"{call_site('cogroup')}: cogrouped streams have a time each, so none closes their common windows; "
                "take emit_on_close() away, and suppress(ms.until_window_closes()) the table"
            )
        return CogroupedStream((Group(self.handle, self._name.given, aggregator),), self._windows)

    def count(
        self,
        *,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
    ) -> Table[K, int]:
        """The number of records of each key. Values must not be null (rule A1; in windows they may be, W2).

        `store` names the store, `emit` is "every" or "latest" where it isn't the application's, and with a `history`
        the result is a versioned table (rule K15); so for every aggregation.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("site")
        >>> app.stream("clicks", value=str).group_by_key().count(store="counts").to_stream().to("out")
        >>> drive(app, ("clicks", "ann", "home"), ("clicks", "ann", "cart"))
        {'out': [('ann', 1), ('ann', 2)]}
        """
        return self._aggregated("count", Kept(Counted(), INT64, INT64), Materialized(store, name, emit, history))

    def reduce(
        self,
        reducer: Callable[[V, V], V],
        *,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
    ) -> Table[K, V]:
        """The first value of each key, then reducer(aggregate, value) (rule A2); None deletes.

        The result has the values' type. Null keys and values are dropped (rule A1).

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("bids")
        >>> app.stream("bids", value=int).group_by_key().reduce(max).to_stream().to("highest")
        >>> drive(app, ("bids", "chair", 10), ("bids", "chair", 30), ("bids", "chair", 20))
        {'highest': [('chair', 10), ('chair', 30), ('chair', 30)]}
        """
        fn = user_function(reducer, call_site("reduce"), values=2, key=False)
        kept = Kept(Reduced(fn.call), self.handle.value, self.handle.value)
        return self._aggregated("reduce", kept, Materialized(store, name, emit, history))

    @overload
    def aggregate(
        self,
        result: Callable[..., V2],
        *,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
        **columns: DeclaredAggregate,
    ) -> Table[K, V2]: ...
    @overload
    def aggregate(
        self,
        *,
        initializer: Callable[[], V2],
        aggregator: Callable[[V, V2], V2],
        merger: Callable[..., V2] | None = None,
        value: Any = None,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
    ) -> Table[K, V2]: ...
    @overload
    def aggregate(
        self,
        *,
        initializer: Callable[[], V2],
        aggregator: Callable[[Any, V, V2], V2],
        merger: Callable[..., V2] | None = None,
        value: Any = None,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
    ) -> Table[K, V2]: ...
    @overload
    def aggregate(
        self,
        *,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
        **columns: DeclaredAggregate,
    ) -> Table[K, Any]: ...
    def aggregate(  # noqa: PLR0913 - what is aggregated, or how it is by hand, and how it is kept
        self,
        result: Any = None,
        *,
        initializer: Any = None,
        aggregator: Any = None,
        merger: Any = None,
        value: Any = None,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
        **columns: DeclaredAggregate,
    ) -> Table[K, Any]:
        """A table of declared aggregates, or of what an initializer and an aggregator make.

        Each declared one, such as `ms.sum("amount")`, is a field of the result.

        The aggregator is a function of (key, value, aggregate), or (value, aggregate). Returning None deletes the entry
        (rule A3). Sessions also take a `merger` of (key, aggregate, next aggregate), or of the two aggregates. `value`
        is the type or serde of the aggregate where the functions' annotations don't tell it. An aggregator should make
        a new aggregate: what one that changes it in place did before it raised stays done.

        Null keys are dropped, null values too, but in windows (rules A1, W2). A result has the largest timestamp of its
        records (rule A2). A field that the values or the result lack is refused, with the nearest name.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> class Order(ms.Record):
        ...     shop: str
        ...     amount: int
        >>> class Totals(ms.Record):
        ...     orders: int
        ...     turnover: int
        >>> app = ms.App("shop")
        >>> by_shop = app.stream("orders", value=Order).group_by("shop")
        >>> by_shop.aggregate(Totals, orders=ms.count(), turnover=ms.sum("amount")).to_stream().to("totals")
        >>> drive(app, ("orders", None, Order("north", 30)))
        {'totals': [('north', Totals(orders=1, turnover=30))]}

        >>> app = ms.App("shop")
        >>> grouped = app.stream("amounts", value=int).group_by_key()
        >>> last = grouped.aggregate(initializer=list, aggregator=lambda new, last: [*last, new][-2:], value=list[int])
        >>> last.to_stream().to("last-two")
        >>> drive(app, ("amounts", "ann", 1), ("amounts", "ann", 2), ("amounts", "ann", 3))
        {'last-two': [('ann', [1]), ('ann', [1, 2]), ('ann', [2, 3])]}
        """
        site = call_site("aggregate")
        functions = {"initializer": initializer, "aggregator": aggregator, "merger": merger}
        refuse_mixture(functions, result, columns, site)
        if initializer is not None or aggregator is not None:
            kept = folded(initializer, aggregator, value, site, merger)
        else:
            kept = declared(self.handle, result, columns, site)
        return self._aggregated("aggregate", kept, Materialized(store, name, emit, history))

    def _aggregated(self, operator: str, kept: Kept, how: Materialized) -> Table[Any, Any]:
        site = call_site(operator)
        return Table(aggregated(self.handle, self._name, self._windows, kept, how, site))


class CogroupedStream(Generic[K, V]):
    """Groups of several streams, ready to be aggregated together: `CogroupedKStream`. `GroupedStream.cogroup` makes it.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("bank")
    >>> paid_in, drawn = app.stream("paid-in", value=int), app.stream("drawn", value=int)
    >>> put = paid_in.group_by_key().cogroup(lambda amount, balance: balance + amount)
    >>> both = put.cogroup(drawn.group_by_key(), lambda amount, balance: balance - amount)
    >>> both.aggregate(lambda: 0, value=int).to_stream().to("balances")
    >>> drive(app, ("paid-in", "ann", 100), ("drawn", "ann", 30))
    {'balances': [('ann', 100), ('ann', 70)]}
    """

    def __init__(self, groups: tuple[Group, ...], windows: Windowing | None = None) -> None:
        self._groups = groups
        self._windows = windows

    def cogroup(self, group: GroupedStream[Any, Any], aggregator: Callable[..., V | None]) -> CogroupedStream[K, V]:
        """Another stream's group with the same keys, and its aggregator.

        That is a function of (key, value, aggregate) or (value, aggregate).

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("site")
        >>> views, orders = (app.stream(topic, value=str).group_by_key() for topic in ("views", "orders"))
        >>> both = views.cogroup(lambda _, seen: seen + "v").cogroup(orders, lambda _, seen: seen + "o")
        >>> both.aggregate(str, value=str).to_stream().to("out")
        >>> drive(app, ("views", "ann", "home"), ("orders", "ann", "tea"))
        {'out': [('ann', 'v'), ('ann', 'vo')]}
        """
        site = call_site("cogroup")
        if not isinstance(group, GroupedStream):
            raise TopologyError(f"{site}: expected a grouped stream, got {type(group).__name__}")
        if group._windows not in (None, self._windows):
            raise TopologyError(f"{site}: the group has windows of its own; call windowed_by on what cogroup gives")
        check_group(self._groups[0].handle, group.handle, site)
        return CogroupedStream((*self._groups, group.cogroup(aggregator)._groups[0]), self._windows)

    def windowed_by(
        self, windows: Windows, *, retention: Duration | None = None, idle_after: Duration | None = None
    ) -> CogroupedStream[Windowed[K], V]:
        """Aggregate by key and window of event time; see `GroupedStream.windowed_by`.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("site")
        >>> views, orders = (app.stream(topic, value=str).group_by_key() for topic in ("views", "orders"))
        >>> both = views.cogroup(lambda _, seen: seen + "v").cogroup(orders, lambda _, seen: seen + "o")
        >>> both.windowed_by(ms.tumbling(10)).aggregate(str, value=str).to_stream().to("out")
        >>> drive(app, ("views", "ann", "home", 3), ("orders", "ann", "tea", 12))
        {'out': [(ann@0/10, 'v'), (ann@10/20, 'o')]}
        """
        how = windowing(windows, retention, idle_after, call_site("windowed_by"), self._windows)
        return CogroupedStream(self._groups, how)

    def aggregate(
        self,
        initializer: Callable[[], V],
        *,
        merger: Callable[..., V] | None = None,
        value: Any = None,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
    ) -> Table[K, V]:
        """The table of aggregates that begin with what `initializer` gives.

        Sessions also take a `merger` of two aggregates.

        `value` is the type or serde of the aggregates, where annotations don't tell it; `store`, `emit` and `history`
        are as in `GroupedStream.count`.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("bank")
        >>> put = app.stream("paid-in", value=int).group_by_key().cogroup(lambda amount, balance: balance + amount)
        >>> put.aggregate(lambda: 0, value=int, store="balances").to_stream().to("out")
        >>> drive(app, ("paid-in", "ann", 100), ("paid-in", "ann", 50))
        {'out': [('ann', 100), ('ann', 150)]}
        """
        how = Cogrouping(self._groups, self._windows, initializer, merger, value)
        return Table(cogrouped(how, Materialized(store, name, emit, history), call_site("aggregate")))


class Table(Generic[K, V]):
    """The latest value of each key, kept up to date by a topic or an aggregation: `KTable`.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("shop")
    >>> prices = app.table("prices", value=int)
    >>> prices.map_values(lambda price: price * 100, value=int).to_stream().to("cents")
    >>> drive(app, ("prices", "tea", 4), ("prices", "tea", 5), ("prices", "tea", None))
    {'cents': [('tea', 400), ('tea', 500), ('tea', None)]}
    """

    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    # --- rows by themselves

    @overload
    def filter(
        self,
        predicate: Callable[[V], object],
        *,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, V]: ...
    @overload
    def filter(
        self,
        predicate: Callable[[K, V], object],
        *,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, V]: ...
    def filter(
        self,
        predicate: Callable[..., object],
        *,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, V]:
        """The rows for which the predicate holds; of a row for which it doesn't a delete is told (rule K4).

        Behind a table with a store, such as an aggregation, only rows that were there before are deleted; without one
        it isn't known which were. `store` keeps the result, for look-ups and processors, with a `history` as a
        versioned table.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> app.table("prices", value=int, store="prices").filter(lambda price: price < 10).to_stream().to("cheap")
        >>> drive(app, ("prices", "tea", 4), ("prices", "cake", 12), ("prices", "tea", 11))
        {'cheap': [('tea', 4), ('tea', None)]}
        """
        return Table(tables.filtered(self.handle, predicate, Materialized(store, name, None, history), negated=False))

    @overload
    def filter_not(
        self,
        predicate: Callable[[V], object],
        *,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, V]: ...
    @overload
    def filter_not(
        self,
        predicate: Callable[[K, V], object],
        *,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, V]: ...
    def filter_not(
        self,
        predicate: Callable[..., object],
        *,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, V]:
        """The rows for which the predicate does not hold; otherwise as `filter`.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> prices = app.table("prices", value=int, store="prices")
        >>> prices.filter_not(lambda item, price: item == "test" or price < 10).to_stream().to("dear")
        >>> drive(app, ("prices", "tea", 4), ("prices", "cake", 12), ("prices", "test", 99))
        {'dear': [('cake', 12)]}
        """
        return Table(tables.filtered(self.handle, predicate, Materialized(store, name, None, history), negated=True))

    @overload
    def map_values(
        self,
        mapper: Callable[[V], V2],
        *,
        value: Any = None,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, V2]: ...
    @overload
    def map_values(
        self,
        mapper: Callable[[K, V], V2],
        *,
        value: Any = None,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, V2]: ...
    def map_values(
        self,
        mapper: Callable[..., Any],
        *,
        value: Any = None,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, Any]:
        """A new value for each row; None deletes it (rule K5). It is not called for rows that are deleted.

        `value` is the type or serde of the result, where the function's annotations don't tell it. Without a `store` a
        row is computed again whenever another operator looks it up.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> app.table("prices", value=int).map_values(lambda price: price * 100, value=int).to_stream().to("cents")
        >>> drive(app, ("prices", "tea", 4), ("prices", "tea", None))
        {'cents': [('tea', 400), ('tea', None)]}
        """
        return Table(tables.mapped_values(self.handle, mapper, value, Materialized(store, name, None, history)))

    @overload
    def transform_values(
        self,
        supplier: Callable[[], Any],
        *,
        stores: Sequence[StoreSpec | str] = (),
        value: type[V2] | Serde[V2],
        store: str | None = None,
        name: str | None = None,
    ) -> Table[K, V2]: ...
    @overload
    def transform_values(
        self,
        supplier: Callable[[], Any],
        *,
        stores: Sequence[StoreSpec | str] = (),
        value: Any = None,
        store: str | None = None,
        name: str | None = None,
    ) -> Table[K, Any]: ...
    def transform_values(
        self,
        supplier: Callable[[], Any],
        *,
        stores: Sequence[StoreSpec | str] = (),
        value: Any = None,
        store: str | None = None,
        name: str | None = None,
    ) -> Table[K, Any]:
        """As `map_values`, with the state that it takes.

        `supplier` makes an object with `transform(key, value)`, and perhaps `init(context)` and `close()`, for each
        task. `stores` are those that it sees (rule P7).

        Deleted rows are transformed too, as the value None. Without a `store` for the result, rows that others look up
        are transformed when they are, and old values again: then the result should depend on the row alone.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> class Changes:
        ...     stores = [ms.key_value_store("changes", value=int)]
        ...     def init(self, context):
        ...         self.changes = context.get_state_store("changes")
        ...     def transform(self, key, value):
        ...         self.changes.put(key, (self.changes.get(key) or 0) + 1)
        ...         return self.changes.get(key)
        >>> app = ms.App("prices")
        >>> prices = app.table("prices", value=float)
        >>> prices.transform_values(Changes, value=int, store="times-changed").to_stream().to("changes")
        >>> drive(app, ("prices", "tea", 4.0), ("prices", "tea", 4.5))
        {'changes': [('tea', 1), ('tea', 2)]}
        """
        how = Materialized(store, name, None)
        return Table(tables.transformed_values(self.handle, supplier, stores, value, how))

    # --- groups and joins

    def group_by(
        self,
        selector: Callable[[K, V], tuple[K2, V2]],
        *,
        key: Any = None,
        value: Any = None,
        name: str | None = None,
    ) -> GroupedTable[K2, V2]:
        """Group by a new key: the function makes (key, value) of each row's key and value (rule K10).

        `key` and `value` are the new types or serdes, where they are not the table's own. Rows go through a repartition
        topic, old and new value together; `name` names it. Where the function gives None as key or value, the row is in
        no group.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("bank")
        >>> customers = app.table("customers", value=str)
        >>> customers.group_by(lambda customer, city: (city, customer)).count().to_stream().to("per-city")
        >>> drive(app, ("customers", "ann", "Oslo"), ("customers", "bob", "Oslo"), ("customers", "ann", "Rome"))
        {'per-city': [('Oslo', 1), ('Oslo', 2), ('Oslo', 1), ('Rome', 1)]}
        """
        return GroupedTable(tables.selected(self.handle, selector, (key, value), name))

    @overload
    def join(
        self,
        other: Table[K, W],
        value: Callable[[V, W], V2],
        *,
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, V2]: ...
    @overload
    def join(
        self,
        other: Table[K, W],
        value: Callable[[K, V, W], V2],
        *,
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, V2]: ...
    @overload
    def join(
        self,
        other: Table[Any, W],
        value: Callable[[V, W], V2],
        *,
        foreign_key: Callable[[V], Any] | Callable[[K, V], Any],
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, V2]: ...
    def join(
        self,
        other: Table[Any, Any],
        value: Callable[..., Any],
        *,
        foreign_key: Callable[..., Any] | None = None,
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, Any]:
        """Rows of both tables with the same key; a row that has no other side is deleted (rule J19).

        With `foreign_key`, a function of this table's value, or of (key, value), that names the other's row, the tables
        may be partitioned differently: requests and answers go through two internal topics (rules J27-J38). Otherwise
        both have keys of one type and as many partitions; what hasn't is refused. `value` is of (value, other), or of
        (key, value, other); `result` is the type or serde of what it makes, where its annotations don't tell it. A
        result has the larger timestamp.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> prices, stock = app.table("prices", value=int), app.table("stock", value=int)
        >>> prices.join(stock, lambda price, pieces: price * pieces, result=int).to_stream().to("worth")
        >>> drive(app, ("prices", "tea", 4), ("stock", "tea", 10), ("prices", "tea", 5), ("stock", "tea", None))
        {'worth': [('tea', 40), ('tea', 50), ('tea', None)]}

        >>> app = ms.App("shop")
        >>> orders, prices = app.table("orders", value=str), app.table("prices", value=int)
        >>> priced = orders.join(prices, lambda item, price: [item, price], foreign_key=lambda item: item)
        >>> priced.to_stream().to("priced")
        >>> drive(app, ("prices", "tea", 4), ("orders", "order-1", "tea"), ("prices", "tea", 5))
        {'priced': [('order-1', ['tea', 4]), ('order-1', ['tea', 5])]}
        """
        how = Materialized(store, name, None, history)
        if foreign_key is not None:
            return self._joined_by(other, (foreign_key, value), result, how, keeps_left=False)
        return self._joined("inner", other, value, result, how)

    def left_join(
        self,
        other: Table[Any, W],
        value: Callable[[V, W | None], V2],
        *,
        foreign_key: Callable[[V], Any] | Callable[[K, V], Any] | None = None,
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, V2]:
        """Every row of this table, with the other's of the same key, or of the `foreign_key`, or None (J20, J21).

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> prices, stock = app.table("prices", value=int), app.table("stock", value=int)
        >>> prices.left_join(stock, lambda price, pieces: [price, pieces]).to_stream().to("out")
        >>> drive(app, ("prices", "tea", 4), ("stock", "tea", 10), ("stock", "cake", 1))
        {'out': [('tea', [4, None]), ('tea', [4, 10])]}
        """
        how = Materialized(store, name, None, history)
        if foreign_key is not None:
            return self._joined_by(other, (foreign_key, value), result, how, keeps_left=True)
        return self._joined("left", other, value, result, how)

    @overload
    def outer_join(
        self,
        other: Table[K, W],
        value: Callable[[V | None, W | None], V2],
        *,
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, V2]: ...
    @overload
    def outer_join(
        self,
        other: Table[K, W],
        value: Callable[[K, V | None, W | None], V2],
        *,
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, V2]: ...
    def outer_join(
        self,
        other: Table[K, Any],
        value: Callable[..., Any],
        *,
        result: Any = None,
        store: str | None = None,
        name: str | None = None,
        history: Duration | None = None,
    ) -> Table[K, Any]:
        """Every row of both tables, with None where one side has none (rule J22).

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("shop")
        >>> prices, stock = app.table("prices", value=int), app.table("stock", value=int)
        >>> prices.outer_join(stock, lambda price, pieces: [price, pieces]).to_stream().to("out")
        >>> drive(app, ("prices", "tea", 4), ("stock", "cake", 1), ("prices", "tea", None))
        {'out': [('tea', [4, None]), ('cake', [None, 1]), ('tea', None)]}
        """
        return self._joined("outer", other, value, result, Materialized(store, name, None, history))

    def _joined_by(
        self,
        other: Table[Any, Any],
        functions: tuple[Callable[..., Any], Callable[..., Any]],
        result: Any,
        how: Materialized,
        *,
        keeps_left: bool,
    ) -> Table[K, Any]:
        if not isinstance(other, Table):
            site = call_site("left_join" if keeps_left else "join")
            raise TopologyError(f"{site}: expected a table, got {type(other).__name__}")
        return Table(foreign_key_joined(self.handle, other.handle, functions, result, how, keeps_left=keeps_left))

    def _joined(
        self, kind: JoinKind, other: Table[K, Any], value: Callable[..., Any], result: Any, how: Materialized
    ) -> Table[K, Any]:
        if not isinstance(other, Table):
            site = call_site("join" if kind == "inner" else f"{kind}_join")
            raise TopologyError(f"{site}: expected a table, got {type(other).__name__}")
        return Table(tables.joined(self.handle, other.handle, kind, value, result, how))

    # --- time

    def suppress(
        self, suppression: Suppression, *, name: str | None = None, idle_after: Duration | None = None
    ) -> Table[K, V]:
        """Hold updates back: until their window closes, or so long that each key has one in a stretch of time.

        Time is that of the updates: nothing is passed on while none come (rules E11-E15), unless the application's
        `idle`, or `idle_after` here, lets it go on by the wall clock. A versioned table is refused, and so is
        `ms.until_window_closes` of a table that comes from no windows.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("site")
        >>> clicks = app.stream("clicks", value=str).group_by_key()
        >>> counts = clicks.windowed_by(ms.tumbling("1m", grace="10s")).count()
        >>> counts.suppress(ms.until_window_closes()).to_stream().to("clicks-per-minute")
        >>> drive(app, *[("clicks", "ann", "x", seconds * 1000) for seconds in (1, 2, 3, 69, 70)])
        {'clicks-per-minute': [(ann@0/60000, 3)]}
        """
        return Table(suppressed(self.handle, suppression, name, idle_after))

    # --- streams

    @overload
    def late(self, *, key: type[K2] | Serde[K2], value: type[V2] | Serde[V2]) -> Stream[K2, V2]: ...
    @overload
    def late(self, *, value: type[V2] | Serde[V2]) -> Stream[Any, V2]: ...
    @overload
    def late(self) -> Stream[Any, Any]: ...
    def late(self, *, key: Any = None, value: Any = None) -> Stream[Any, Any]:
        """The records that an aggregation in windows dropped as late, as they came: key, value, timestamp, headers.

        They are those that were late for all their windows: one that a hopping or sliding window still took is not
        among them, while the counter of late records counts every window that was missed. Call it on the table that the
        aggregation gave. `key` and `value` are the types of the grouped records, for those who check types: a table
        knows those of its results alone.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("site")
        >>> clicks = app.stream("clicks", value=str).group_by_key()
        >>> counts = clicks.windowed_by(ms.tumbling("1m", grace="10s")).count()
        >>> counts.late(value=str).to("late-clicks")
        >>> drive(app, ("clicks", "ann", "home", 70_000), ("clicks", "bob", "cart", 59_000))
        {'late-clicks': [('bob', 'cart')]}
        """
        return Stream(late_records(self.handle, key, value))

    @overload
    def to_stream(self, *, emit: Emit = "every", name: str | None = None) -> Stream[K, V]: ...
    @overload
    def to_stream(
        self,
        *,
        key: Callable[[V], K2],
        key_type: Any = None,
        emit: Emit = "every",
        name: str | None = None,
    ) -> Stream[K2, V]: ...
    @overload
    def to_stream(
        self,
        *,
        key: Callable[[K, V], K2],
        key_type: Any = None,
        emit: Emit = "every",
        name: str | None = None,
    ) -> Stream[K2, V]: ...
    def to_stream(
        self,
        *,
        key: Callable[..., Any] | None = None,
        key_type: Any = None,
        emit: Emit = "every",
        name: str | None = None,
    ) -> Stream[Any, V]:
        """Every update as a record; a deleted row as one with the value None (rule K6).

        `key` makes a new key of the value, or of (key, value), as `select_key` does; `key_type` is its type or serde.
        With `emit="latest"` of a table that emits each update, this stream alone has the last update of each key in a
        round of processing.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("site")
        >>> counts = app.stream("clicks", value=str).group_by_key().windowed_by(ms.tumbling(10)).count()
        >>> counts.to_stream().to("by-window")
        >>> drive(app, ("clicks", "ann", "home", 3))
        {'by-window': [(ann@0/10, 1)]}
        >>> counts.to_stream(key=lambda key, n: f"{key.key} at {key.window.start}", key_type=str).to("in-words")
        >>> drive(app, ("clicks", "ann", "home", 3))["in-words"]
        [('ann at 0', 1)]
        """
        site = call_site("to_stream")
        node = self.handle.builder.name("KTABLE-TOSTREAM", name)
        added = ToStream(
            name=node, parents=(self.handle.node,), site=site, emit=self.handle.builder.emission(emit, site)
        )
        stream: Stream[K, V] = Stream(self.handle.after(added, key_changed=False, store=None))
        return stream if key is None else stream.select_key(key, key=key_type)


class GroupedTable(Generic[K, V]):
    """A table's rows by another key, ready to be aggregated: `KGroupedTable`.

    When a row changes, its old value is taken out of the aggregate where it was, and the new one put in.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("bank")
    >>> by_city = app.table("customers", value=str).group_by(lambda customer, city: (city, customer))
    >>> by_city.count().to_stream().to("per-city")
    >>> drive(app, ("customers", "ann", "Oslo"), ("customers", "ann", "Rome"))
    {'per-city': [('Oslo', 1), ('Oslo', 0), ('Rome', 1)]}
    """

    def __init__(self, group: tables.Selected) -> None:
        self._group = group

    def count(
        self,
        *,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
    ) -> Table[K, int]:
        """The number of rows of each key; one that has none any more stays, with 0 (rule K13).

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("bank")
        >>> by_city = app.table("customers", value=str).group_by(lambda customer, city: (city, customer))
        >>> by_city.count(store="per-city").to_stream().to("out")
        >>> drive(app, ("customers", "ann", "Oslo"), ("customers", "bob", "Oslo"), ("customers", "ann", None))
        {'out': [('Oslo', 1), ('Oslo', 2), ('Oslo', 1)]}
        """
        balance = Balanced(lambda: 0, lambda _k, _v, n: n + 1, lambda _k, _v, n: n - 1)
        return self._balanced("count", balance, INT64, Materialized(store, name, emit, history))

    def reduce(
        self,
        adder: Callable[[V, V], V],
        subtractor: Callable[[V, V], V],
        *,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
    ) -> Table[K, V]:
        """The first value, then adder(aggregate, new) and subtractor(aggregate, old); None deletes (rule K13).

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> app = ms.App("stock")
        >>> by_shelf = app.table("stock", value=int).group_by(lambda item, pieces: (item[0], pieces), key=str)
        >>> by_shelf.reduce(lambda total, new: total + new, lambda total, old: total - old).to_stream().to("per-shelf")
        >>> drive(app, ("stock", "a-tea", 5), ("stock", "a-cake", 2), ("stock", "a-tea", 4))
        {'per-shelf': [('a', 5), ('a', 7), ('a', 6)]}
        """
        site = call_site("reduce")
        put, take = (user_function(fn, site, values=2).call for fn in (adder, subtractor))
        balance = Balanced(None, lambda _k, value, agg: put(agg, value), lambda _k, value, agg: take(agg, value))
        return self._balanced("reduce", balance, self._group.handle.value, Materialized(store, name, emit, history))

    @overload
    def aggregate(
        self,
        initializer: Callable[[], V2],
        adder: Callable[[K, V, V2], V2],
        subtractor: Callable[[K, V, V2], V2],
        *,
        value: Any = None,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
    ) -> Table[K, V2]: ...
    @overload
    def aggregate(
        self,
        initializer: Callable[..., V2],
        *,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
        **columns: DeclaredAggregate,
    ) -> Table[K, V2]: ...
    @overload
    def aggregate(
        self,
        *,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
        **columns: DeclaredAggregate,
    ) -> Table[K, Any]: ...
    def aggregate(
        self,
        initializer: Any = None,
        adder: Any = None,
        subtractor: Any = None,
        *,
        value: Any = None,
        store: str | None = None,
        name: str | None = None,
        emit: Emit | None = None,
        history: Duration | None = None,
        **columns: DeclaredAggregate,
    ) -> Table[K, Any]:
        """Functions of (key, value, aggregate) that put a value in and take one out; None deletes (rule K12).

        Or declared aggregates, of those that can take a value out again: count, sum, mean, variance, std, histogram,
        quantiles, collect_list and count_distinct; others are refused. An update has the larger timestamp of the row
        and of the aggregate.

        >>> import millstream as ms
        >>> from millstream.testing import drive
        >>> class Customer(ms.Record):
        ...     city: str
        ...     credit: int
        >>> class Totals(ms.Record):
        ...     customers: int
        ...     credit: int
        >>> app = ms.App("bank")
        >>> customers = app.table("customers", value=Customer)
        >>> by_city = customers.group_by(lambda _, customer: (customer.city, customer), key=str)
        >>> by_city.aggregate(Totals, customers=ms.count(), credit=ms.sum("credit")).to_stream().to("declared")
        >>> by_hand = by_city.aggregate(
        ...     lambda: 0, lambda city, new, sum: sum + new.credit, lambda city, old, sum: sum - old.credit, value=int
        ... )
        >>> by_hand.to_stream().to("by-hand")
        >>> told = drive(app, ("customers", "ann", Customer("Oslo", 100)), ("customers", "ann", Customer("Oslo", 70)))
        >>> told["declared"][-1], told["by-hand"][-1]
        (('Oslo', Totals(customers=1, credit=70)), ('Oslo', 70))
        """
        site = call_site("aggregate")
        how = Materialized(store, name, emit, history)
        if adder is None and subtractor is None:
            kept = declared(self._group.handle, initializer, columns, site, balanced=True)
            assert isinstance(kept.aggregation, Declared)
            return Table(tables.balanced(self._group, kept.aggregation, (kept.stored, kept.results), how, site))
        refuse_mixture({"adder": adder, "subtractor": subtractor}, None, columns, site)
        if initializer is None or adder is None or subtractor is None:
            raise TopologyError(f"{site}: initializer, adder and subtractor go together")
        put, take = (user_function(fn, site, values=3).call for fn in (adder, subtractor))
        return self._balanced("aggregate", Balanced(initializer, put, take), value_serde(value, adder), how)

    def _balanced(self, operator: str, balance: Balanced, serde: Serde[Any], how: Materialized) -> Table[Any, Any]:
        return Table(tables.balanced(self._group, balance, (serde, serde), how, call_site(operator)))


class GlobalTable(Generic[K, V]):
    """A topic's latest values, all partitions on every worker: `GlobalKTable`. Joined by `Stream.join`.

    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("shop")
    >>> prices = app.global_table("prices", value=int)
    >>> orders = app.stream("orders", value=str)
    >>> orders.join(prices, lambda item, price: f"{item}: {price}", key=lambda item: item, result=str).to("out")
    >>> drive(app, ("prices", "tea", 4), ("orders", "ann", "tea"))
    {'out': [('ann', 'tea: 4')]}
    """

    __match_args__ = ("store",)

    def __init__(self, store: str) -> None:
        self.store = store
