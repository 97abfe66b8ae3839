"""Drive a topology without a broker: pipe records in, read records out, move the wall clock by hand (rules D1-D7)."""

from __future__ import annotations

import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from millstream.app import App
from millstream.dsl.program import Program
from millstream.duration import Duration, parse_duration_ms
from millstream.engine import EngineSettings, GlobalTables, Outbox, Wiring, compile_task, stores_on_disk
from millstream.engine.facades import facade, results_of
from millstream.engine.stores import Rows
from millstream.engine.task import Task
from millstream.errors import MillstreamError
from millstream.model import Batch, Headers, OutBatch, TopicPartition
from millstream.plan.internal import TaskId, TaskSpec, changelog_topic, has_changelog, internal_topic
from millstream.plan.nodes import Sink, Source, StoreType
from millstream.plan.sinks import RoutedSink
from millstream.plan.topology import SubTopology, Topology, as_one
from millstream.runtime.worker_tables import engine_settings
from millstream.serde import bound, serde_for
from millstream.size import Size, parse_bytes
from millstream.state import Access, CacheBudget, TaskDisk
from millstream.state.rocksdb import RocksMemory, RocksTaskDisk
from millstream.testing.emission import every_update
from millstream.testing.topics import InputTopic, OutputRecord, OutputTopic

APP_ID = "app"

_WHOLE_ROUND = 1_000_000


class OneOfEach(Outbox):
    """Every topic exists and has one partition."""

    def partition_count(self, topic: str) -> int:
        return 1


class TestDriver:
    """Runs a whole program as one task on partition 0, with one wall clock that only `advance_wall_clock` moves.

    An `App` has its own settings here too, such as its error handlers, unless others are given. `emit="every"` passes
    on each update of a table, whatever the program says; without it a table that emits the latest has the last update
    of each key in a round: that of one record, or what is piped within `round` (rules E2-E5, D5). `store` is the kind
    of those stores that name none; with "rocksdb" they lie in a temporary folder, with live rows of up to `cache` bytes
    over them.

    >>> import millstream as ms
    >>> app = ms.App("words", emit="every")
    >>> app.stream("lines", value=str).filter(lambda line: "fox" in line).to("foxes")
    >>> with TestDriver(app) as driver:
    ...     driver.pipe("lines", "the quick fox", key="k", timestamp=5)
    ...     driver.read("foxes")
    ...     driver.input_topic("lines").pipe_values(["a dog", "a fox"])
    ...     driver.waiting("foxes"), driver.output_topic("foxes").read_value(), driver.metrics.records
    [OutputRecord(key='k', value='the quick fox', timestamp=5, headers=())]
    (1, 'a fox', 3)

    `close`, at the end of a `with`, closes processors and stores.
    """

    __test__ = False  # not a test, whatever pytest makes of its name

    def __init__(
        self,
        program: Program | Topology,
        *,
        settings: EngineSettings | None = None,
        emit: Literal["every"] | None = None,
        wall_ms: int = 0,
        app_id: str = APP_ID,
        store: StoreType = "memory",
        cache: Size = "64MB",
    ) -> None:
        topology = program.topology() if isinstance(program, Program) else program
        if emit is not None:
            topology = every_update(topology)
        self._app_id = app_id
        self._wall_ms = wall_ms
        own = engine_settings(program.settings) if isinstance(program, App) else EngineSettings()
        self._settings = settings or own
        sub = as_one(topology)
        self._inputs = tuple(
            internal_topic(app_id, topic) if source.internal else topic
            for source in sub.sources
            for topic in source.topics
        )
        self._sources: dict[str, Source] = {topic: source for source in sub.sources for topic in source.topics}
        outputs = [internal_topic(app_id, sink.topic) if sink.internal else sink.topic for sink in sub.sinks]
        if self._settings.dead_letters is not None:
            outputs.append(self._settings.dead_letters)
        self._sinks: dict[str, Sink] = {sink.topic: sink for sink in sub.sinks}
        self._routed = next((node for node in sub.nodes if isinstance(node, RoutedSink)), None)
        self._internal = {internal_topic(app_id, sink.topic) for sink in sub.sinks if sink.internal}
        self._nodes = {node.name: node for node in sub.nodes}
        self._outbox = OneOfEach(dict.fromkeys(outputs, 1))
        self._globals = GlobalTables(topology, self._settings, self._outbox, app_id=app_id)
        self._specs = {store.name: store for store in sub.stores} | self._globals.specs
        changelogs = {
            TopicPartition(changelog_topic(app_id, store.name), 0): store.name
            for store in sub.stores
            if has_changelog(store)
        }
        reused = {TopicPartition(store.source_topic, 0): store.name for store in sub.stores if store.source_topic}
        spec = TaskSpec(TaskId(0, 0), tuple(TopicPartition(topic, 0) for topic in self._inputs), changelogs, reused)
        self._cache = CacheBudget(parse_bytes(cache))
        self._closing = ExitStack()
        wiring = Wiring(app_id, self._settings, self._outbox, self._globals, wall_ms, cache=self._cache)
        self._task: Task = compile_task(sub, spec, wiring, self._disk(sub, store))
        self._logged: Counter[TopicPartition] = Counter()
        self._offsets: dict[str, int] = {}
        self._written: dict[str, deque[tuple[bytes | None, bytes | None, int, Headers]]] = {}
        self._round_open = False
        self.changelog: list[OutBatch] = []
        for partition in self._task.inputs:
            self._task.caught_up(partition, 0)
        self._task.start()

    # --- in

    def pipe(
        self, topic: str, value: Any = None, *, key: Any = None, timestamp: int = 0, headers: Headers = ()
    ) -> None:
        """Process one record to its end, through internal topics too; objects are encoded with the source's serdes."""
        source = self._sources.get(topic)
        if source is None and topic in self._globals.topics:
            serdes = self._globals.serdes_of(topic)
        elif source is None:
            raise MillstreamError(f"the program reads no topic {topic!r}; it reads {', '.join(self._sources)}")
        else:
            serdes = (bound(source.key, topic, is_key=True), bound(source.value, topic, is_key=False))
        key_bytes = None if key is None else serdes[0].encode(key)
        value_bytes = None if value is None else serdes[1].encode(value)
        self.pipe_bytes(topic, value_bytes, key=key_bytes, timestamp=timestamp, headers=headers)

    def pipe_bytes(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        timestamp: int = 0,
        headers: Headers = (),
    ) -> None:
        """As `pipe`, with the bytes as they are on the topic.

        >>> import millstream as ms
        >>> app = ms.App("parts", on_decode_error="skip", dead_letters="broken")
        >>> app.stream("parts", value=int).to("copies")
        >>> with TestDriver(app) as driver:
        ...     driver.pipe_bytes("parts", b"seven", key=b"k")
        ...     [(record.key, record.value) for record in driver.read("broken")]
        [(b'k', b'seven')]
        """
        if timestamp < 0:
            raise MillstreamError(f"a record's timestamp must not be negative, got {timestamp}")
        offset = self._offsets.get(topic, 0)
        self._offsets[topic] = offset + 1
        batch = Batch(
            TopicPartition(topic, 0), [offset], [timestamp], [key], [value], [headers] if headers else None, offset + 1
        )
        if topic in self._globals.topics:
            self._globals.apply(batch)
            self._collect()
            return
        self._enqueue(batch)
        if not self._round_open:
            self._run()

    def pipe_many(self, topic: str, records: Iterable[tuple[Any, Any, int]]) -> None:
        """Process records of (key, value, timestamp) in one round.

        >>> import millstream as ms
        >>> app = ms.App("words")
        >>> app.stream("lines", value=str).group_by_key().count().to_stream().to("counts")
        >>> with TestDriver(app) as driver:
        ...     driver.pipe_many("lines", [("x", "a", 1), ("x", "b", 2), ("y", "c", 3)])
        ...     driver.output_topic("counts").read_pairs()
        [('x', 2), ('y', 1)]
        """
        with self.round():
            for key, value, timestamp in records:
                self.pipe(topic, value, key=key, timestamp=timestamp)

    @contextmanager
    def round(self) -> Iterator[None]:
        """What is piped within is processed at the end, in one round.

        So does a worker with what has arrived: tables that emit the latest then pass on one update of each key.

        >>> import millstream as ms
        >>> app = ms.App("words")
        >>> app.stream("lines", value=str).group_by_key().count().to_stream().to("counts")
        >>> with TestDriver(app) as driver:
        ...     with driver.round():
        ...         driver.pipe("lines", "a line", key="x")
        ...         driver.pipe("lines", "another", key="x")
        ...     driver.output_topic("counts").read_pairs()
        [('x', 2)]
        """
        if self._round_open:
            raise MillstreamError("a round is open already; rounds don't nest")
        self._round_open = True
        try:
            yield
        except BaseException:
            self._discard()
            raise
        finally:
            self._round_open = False
        self._run(_WHOLE_ROUND)

    def input_topic(self, topic: str, *, start: Duration = 0, step: Duration = 0) -> InputTopic:
        """A topic to write, with timestamps that begin at `start`, in ms since the epoch, and go on by `step`."""
        return InputTopic(self, topic, start, step)

    def advance_wall_clock(self, by: Duration) -> None:
        """Move the wall clock, and call what is due (rule D3).

        >>> import millstream as ms
        >>> app = ms.App("words", idle="wall-clock", idle_after="1s")
        >>> lines = app.stream("lines", value=str).group_by_key().windowed_by(ms.tumbling(10))
        >>> lines.emit_on_close().count().to_stream().to("counts")
        >>> with TestDriver(app) as driver:
        ...     driver.pipe("lines", "a line", key="x", timestamp=3)
        ...     driver.advance_wall_clock("2s")
        ...     driver.wall_ms, driver.output_topic("counts").read_pairs()
        (2000, [(x@0/10, 1)])
        """
        self._wall_ms += parse_duration_ms(by)
        self._task.punctuate(self._wall_ms)
        self._commit()
        self._run()

    @property
    def wall_ms(self) -> int:
        """The wall clock, in ms."""
        return self._wall_ms

    # --- out

    def output_topic(self, topic: str, *, key: Any = None, value: Any = None) -> OutputTopic:
        """A topic to read, decoded with the sink's serdes or those given."""
        return OutputTopic(self, topic, key, value)

    def outputs(self) -> dict[str, list[OutputRecord]]:
        """Take everything written to all topics since the last call, internal ones left out.

        >>> import millstream as ms
        >>> app = ms.App("words")
        >>> app.stream("lines", value=str).to("copies")
        >>> with TestDriver(app) as driver:
        ...     driver.pipe("lines", "a line", key="x")
        ...     driver.outputs()
        {'copies': [OutputRecord(key='x', value='a line', timestamp=0, headers=())]}
        """
        topics = [topic for topic, records in self._written.items() if records and topic not in self._internal]
        return {topic: self.read(topic) for topic in topics}

    def waiting(self, topic: str) -> int:
        """How many records of a topic have not been read."""
        return len(self._written.get(topic, ()))

    def read(self, topic: str, *, key: Any = None, value: Any = None, most: int | None = None) -> list[OutputRecord]:
        """Take what was written to a topic since the last call: all of it, or as many as `most` records.

        It is decoded with the sink's serdes, or with those given.
        """
        sink = self._sinks.get(topic) or self._routed
        keys = serde_for(key, key=True) if key is not None else sink.key if sink else serde_for(bytes)
        values = serde_for(value) if value is not None else sink.value if sink else serde_for(bytes)
        keys, values = bound(keys, topic, is_key=True), bound(values, topic, is_key=False)
        return [
            OutputRecord(
                None if raw_key is None else keys.decode(raw_key),
                None if raw_value is None else values.decode(raw_value),
                timestamp,
                headers,
            )
            for raw_key, raw_value, timestamp, headers in self.read_bytes(topic, most)
        ]

    def read_bytes(self, topic: str, most: int | None = None) -> list[tuple[bytes | None, bytes | None, int, Headers]]:
        """Take what was written to a topic since the last call, as bytes.

        >>> import millstream as ms
        >>> app = ms.App("words")
        >>> app.stream("lines", value=str).map_values(len, value=float).to("lengths")
        >>> with TestDriver(app) as driver:
        ...     driver.pipe("lines", "a line", key="x")
        ...     [(key, value.hex()) for key, value, timestamp, headers in driver.read_bytes("lengths")]
        [(b'x', '4018000000000000')]
        """
        written = self._written.get(topic, deque())
        count = len(written) if most is None else min(most, len(written))
        return [written.popleft() for _ in range(count)]

    def store(self, name: str) -> Any:
        """A store as a processor sees it; that of an aggregation shows its results.

        It is a `ms.KeyValueStore`, `WindowStore`, `SessionStore` or `VersionedStore`. Stores that only their operator
        understands are told as their `rows`.

        >>> import millstream as ms
        >>> app = ms.App("words")
        >>> windows = app.stream("lines", value=str).group_by_key().windowed_by(ms.tumbling("10s"))
        >>> counted = windows.count(store="counts")
        >>> with TestDriver(app) as driver:
        ...     driver.pipe("lines", "a", key="x", timestamp=12_000)
        ...     driver.store("counts").fetch("x", 10_000)
        1
        """
        rows = self.rows(name)
        seen = facade(self._specs[name], rows, Access(result=results_of(name, self._nodes)))
        return rows if seen is None else seen

    def rows(self, name: str) -> Any:
        """A store's rows as the engine has them."""
        rows: Rows | None = self._globals.stores.get(name)
        return self._task.store(name) if rows is None else rows

    @property
    def metrics(self) -> Any:
        """How many records the task took, dropped, found late, and sent to the dead letters."""
        return self._task.metrics

    def close(self) -> None:
        """Close processors and stores; the end of a `with` does it too."""
        with self._closing:
            self._task.close()
            self._globals.close()

    def __enter__(self) -> TestDriver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---

    def _disk(self, sub: SubTopology, store: StoreType) -> TaskDisk | None:
        names = stores_on_disk(sub.stores, store)
        if not names:
            return None
        folder = self._closing.enter_context(tempfile.TemporaryDirectory(prefix="millstream-"))
        return RocksTaskDisk(Path(folder) / "task", names, RocksMemory())

    def _enqueue(self, batch: Batch) -> None:
        self._task.add(batch)
        self._task.caught_up(batch.source, batch.next_offset)

    def _run(self, rows: int = 1) -> None:
        """Until nothing is left: process a record, or a round of them, commit, take the outputs that are inputs again
        (rule D2).
        """
        try:
            while self._task.process(max_rows=rows, up_to_ms=None, wall_ms=self._wall_ms):
                self._commit()
            self._commit()  # records that were skipped before they were taken have left dead letters
        except MillstreamError:
            self._discard()
            self._collect()
            raise

    def _discard(self) -> None:
        """Forget what is not processed (rule D7)."""
        self._task.discard()
        for partition in self._task.inputs:
            self._task.caught_up(partition, self._offsets.get(partition.topic, 0))

    def _commit(self) -> None:
        self._task.end_round()
        self._collect()
        changes = self._task.changelog()
        self.changelog += changes
        for batch in changes:
            self._logged[batch.target] += len(batch)
        self._task.settle({batch.target: self._logged[batch.target] for batch in changes})
        self._task.committed()
        self._cache.relieve()

    def _collect(self) -> None:
        for batch in self._outbox.drain():
            topic = batch.target.topic
            headers = batch.headers or [()] * len(batch)
            rows = zip(batch.keys, batch.values, batch.timestamps, headers, strict=True)
            self._written.setdefault(topic, deque()).extend(rows)
            if topic in self._inputs:
                first = self._offsets.get(topic, 0)
                end = self._offsets[topic] = first + len(batch)
                self._enqueue(
                    Batch(
                        TopicPartition(topic, 0),
                        range(first, end),
                        batch.timestamps,
                        batch.keys,
                        batch.values,
                        batch.headers,
                        end,
                    )
                )
