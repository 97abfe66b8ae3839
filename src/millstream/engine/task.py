"""A task: one partition of one sub-topology, compiled, with its inputs, its stores and its clocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from millstream.engine.compiler import compile_nodes
from millstream.engine.context import TaskContext
from millstream.engine.event_loop import EventLoop
from millstream.engine.facades import results_of
from millstream.engine.failures import Failures
from millstream.engine.global_tables import GlobalTables
from millstream.engine.inputs import PartitionInput, Run, TaskInputs
from millstream.engine.local import LocalStores
from millstream.engine.metadata import read_metadata, written_metadata
from millstream.engine.metrics import TaskMetrics
from millstream.engine.outbox import Outbox
from millstream.engine.parts import NodeFunction, Parts
from millstream.engine.punctuation import NEVER
from millstream.engine.queries import Page, Query, read
from millstream.engine.reused import readable, restore_reused
from millstream.engine.rows import Refusals, RowDecoder
from millstream.engine.settings import EngineSettings
from millstream.engine.stores import Rows, counts_cheaply, open_store
from millstream.errors import MillstreamError, RegistryError, SerializationError, StateError
from millstream.model import Batch, OutBatch, TopicPartition
from millstream.plan.internal import TaskId, TaskSpec, changelog_topic, internal_topic
from millstream.plan.nodes import Source
from millstream.plan.topology import SubTopology
from millstream.serde import bound, exact
from millstream.state import Access, CacheBudget, Changes, TaskDisk


@dataclass(frozen=True, slots=True)
class Wiring:
    """What tasks of one worker share, and the wall clock in ms at which the task is made.

    `cache` is the memory for live rows of stores on disk; None lets them grow until they are on disk.
    """

    app_id: str
    settings: EngineSettings
    outbox: Outbox
    global_tables: GlobalTables
    wall_ms: int
    loop: EventLoop = field(default_factory=EventLoop)
    cache: CacheBudget | None = None


class Task:
    """Single-threaded; owns its stores. The runtime restores it, starts it, and then calls it in rounds.

    `disk` holds the stores that it knows; the task closes it.
    """

    def __init__(self, sub: SubTopology, spec: TaskSpec, wiring: Wiring, disk: TaskDisk | None = None) -> None:
        self.id: TaskId = spec.id
        self.inputs: tuple[TopicPartition, ...] = spec.inputs
        self.metrics = TaskMetrics()
        self.needs_commit = False
        self._context = TaskContext(wiring.wall_ms)
        failures = Failures(str(spec.id), wiring.settings, wiring.outbox, self._context, self.metrics)
        self._local = None if disk is None else LocalStores(disk, wiring.cache)
        self._stores: dict[str, Rows] = {}
        for store in sub.stores:
            topic = store.source_topic or changelog_topic(wiring.app_id, store.name)
            opened = open_store(store, topic) if self._local is None else self._local.open(store, topic)
            self._stores[store.name] = opened
        self._changelogs = dict(spec.changelogs)
        self._reused = dict(spec.reused)
        self._unlogged = [store.name for store in sub.stores if not store.logged]
        self._parts = Parts(
            spec.id,
            wiring.app_id,
            self._context,
            wiring.outbox,
            failures,
            self.metrics,
            self._stores,
            wiring.global_tables.read_only(),
            {node.name: node for node in sub.nodes},
            {store.name: store for store in sub.stores} | wiring.global_tables.specs,
            wiring.settings,
            wiring.loop,
        )
        self._functions = compile_nodes(sub, self._parts)
        self._tracked = any(node.needs_place for node in sub.nodes)
        self._sources = _sources_by_topic(sub, wiring.app_id)
        self._inputs = TaskInputs(
            [self._input(partition, failures) for partition in spec.inputs],
            wiring.settings.wait_for_inputs_ms,
            wiring.settings.idle_after_ms,
        )
        self._emitted_by_clock = False
        self._started = False

    def _input(self, partition: TopicPartition, failures: Failures) -> PartitionInput:
        source = _bound(self._sources[partition.topic], partition.topic)
        refusals = Refusals(partial(failures.undecodable, source.name), partial(failures.untimed, source))
        return PartitionInput(partition, RowDecoder(source, refusals, self.metrics, self._parts.settings.on_bad_time))

    # --- before the first record

    def checkpoint(self) -> Mapping[TopicPartition, int]:
        """By changelog, the offset from which on a store on disk lacks the records; without it: all of them."""
        offsets = {} if self._local is None else self._local.offsets()
        changelogs = (self._changelogs | self._reused).items()
        return {changelog: offsets[store] for changelog, store in changelogs if store in offsets}

    def restore(self, changelog: TopicPartition, batch: Batch) -> None:
        """Apply records of one of its changelogs, or of an input that serves as one."""
        reused = self._reused.get(changelog)
        store = reused or self._changelogs[changelog]
        rows = self._stores[store]
        try:
            if self._local is not None and store in self._local:
                self._local.restore(store, batch if reused is None else readable(rows, batch))
            elif reused is None:
                rows.restore(batch)
            else:
                restore_reused(rows, batch)
        except (StateError, RegistryError):
            raise
        except Exception as error:  # the loop's edge: whatever a serde raises
            raise StateError(
                f"task {self.id}: {changelog} does not fit the store {store!r}: {error}; it was written with other "
                "types: go back to these, or give the store another name"
            ) from error

    def empty(self, begins: Mapping[TopicPartition, int]) -> None:
        """Delete what its stores on disk have of these changelogs, which begin there; then make the task anew."""
        if self._local is not None:
            named = {self._changelogs[changelog]: begin for changelog, begin in begins.items()}
            self._local.empty({store: begin for store, begin in named.items() if store in self._local})

    def resume(
        self, metadata: Mapping[TopicPartition, str], offsets: Mapping[TopicPartition, int] | None = None
    ) -> None:
        """Partition times, and the last close times of windows, from the metadata of the committed offsets (F15).

        With the offsets themselves, metadata that changes without records can be committed with them again.
        """
        for partition, offset in (offsets or {}).items():
            self._inputs.by_partition[partition].resumed_at = offset
        for partition, text in metadata.items():
            self._inputs.by_partition[partition].partition_time, closed = read_metadata(text)
            for store, time in closed.items():
                self._parts.close_times[store] = max(time, self._parts.close_times.get(store, time))
        times = [item.partition_time for item in self._inputs.by_partition.values()]
        self._context.stream_time = max([self._context.stream_time, *times])

    def start(self, *, wall_ms: int | None = None) -> None:
        """The stores are complete: initialise nodes and processors. `wall_ms` is the time now, if it has gone on."""
        if wall_ms is not None:
            self._context.wall_ms = wall_ms
        self._started = True
        if self._local is not None:
            self._local.restored()
        for start in self._parts.starts:
            start()
        self._parts.idle.begin(self._context.wall_ms)

    # --- rounds

    def add(self, batch: Batch) -> None:
        """Records fetched of one of its inputs."""
        self._inputs.by_partition[batch.source].add(batch)

    def caught_up(self, source: TopicPartition, end_offset: int) -> None:
        """The consumer has read a partition to its end (rule T7)."""
        self._inputs.by_partition[source].caught_up_at = end_offset

    def buffered(self, source: TopicPartition) -> int:
        return self._inputs.by_partition[source].buffered

    def buffered_rows(self) -> int:
        return sum(item.buffered for item in self._inputs.by_partition.values())

    def head_time(self, wall_ms: int) -> int | None:
        """The smallest timestamp waiting; None when nothing can be processed now (rule T7)."""
        if not self._inputs.ready(wall_ms):
            return None
        heads = (item.head() for item in self._inputs.by_partition.values())
        return min(head for head in heads if head is not None)

    def process(self, *, max_rows: int, up_to_ms: int | None, wall_ms: int) -> int:
        """Process what is buffered, in order (rule T6), none above up_to_ms; returns the number of records taken."""
        self._context.wall_ms = wall_ms
        taken = newest_ms = 0
        while taken < max_rows and self._inputs.ready(wall_ms):
            found = self._inputs.next_run(max_rows - taken, up_to_ms)
            if found is None:
                break
            taken += self._run(*found)
            if found[1].end:
                newest_ms = found[1].rows.timestamps[found[1].end - 1]
        if taken:
            self.metrics.waited(max(0, wall_ms - newest_ms))
            if self._parts.idle.timers:
                self._parts.idle.notice(wall_ms)
        return taken

    def _run(self, source: PartitionInput, run: Run) -> int:
        self.needs_commit = True
        function = self._functions[self._sources[source.partition.topic].name]
        context, done = self._context, run.end - run.first
        context.rows = run.rows
        try:
            if self._tracked or run.rows.headers is not None:
                self._run_tracked(function, run)
            else:
                _run_plain(function, run)
        except BaseException as error:
            done = max((context.row if context.row >= 0 else run.rows.at_hand()) - run.first, 0)
            if isinstance(error, Exception) and not isinstance(error, MillstreamError):
                raise self._parts.failures.unexpected(error) from error
            raise
        finally:
            source.taken(run, done)
            self.metrics.records += done
            context.rows, context.row, context.headers = None, -1, ()
            context.stream_time = max(context.stream_time, source.partition_time)
        return done

    def _run_tracked(self, function: NodeFunction, run: Run) -> None:
        """Keeps the clock and the record's place at hand, and punctuates between two records (rules T4, P5)."""
        context, schedule, rows = self._context, self._parts.stream_time, run.rows
        keys, values, timestamps, headers = rows.keys, rows.values, rows.timestamps, rows.headers
        for row in range(run.first, run.end):
            timestamp = timestamps[row]
            if timestamp > context.stream_time:
                context.stream_time = timestamp
            context.row, context.rows, context.timestamp = row, rows, timestamp
            if headers is not None:
                context.headers = headers[row]
            function(keys[row], values[row], timestamp)
            if context.stream_time >= schedule.next_due:
                context.row = row + 1  # this record is done, whatever becomes of the punctuation
                self._settle()
                schedule.run(context.stream_time)

    def punctuate(self, wall_ms: int, *, unreadable: bool = False) -> bool:
        """Call the wall-clock punctuations that are due, and pass on what no record comes for; whether there were any.

        While its inputs are `unreadable`, nothing says that no record has come.
        """
        self._context.wall_ms = wall_ms
        called = False
        if wall_ms >= self._parts.wall_clock.next_due:
            self._settle()
            called = self._parts.wall_clock.run(wall_ms)
        called |= self._pass_time(wall_ms, unreadable=unreadable)
        self.needs_commit |= called
        return called

    def _pass_time(self, wall_ms: int, *, unreadable: bool) -> bool:
        """Let operators' time go on where no record comes; whether anything was passed on by that."""
        idle = self._parts.idle
        if unreadable:
            idle.begin(wall_ms)
        if not idle.timers or unreadable or not self._inputs.at_rest() or (idle.next_wall_ms() or NEVER) > wall_ms:
            return False
        self._settle()
        passed = idle.run(wall_ms, self._context)
        self._emitted_by_clock |= passed
        return passed

    def next_wall_punctuation(self) -> int | None:
        """When `punctuate` has something to do, by the wall clock; None if nothing is planned."""
        due = self._parts.wall_clock.next_due
        if self._parts.idle.timers and self._inputs.at_rest():
            due = min(due, self._parts.idle.next_wall_ms() or NEVER)
        return None if due == NEVER else due

    def _settle(self) -> None:
        """Wait for the calls that are under way; a punctuation sees what came of them."""
        for settle in self._parts.settles:
            settle()

    def end_round(self) -> None:
        """Pass on what `emit="latest"` held back, from parents to children."""
        for flush in self._parts.flushes:
            flush()
        if self._parts.idle.timers:
            self._parts.idle.notice(self._context.wall_ms)

    # --- commit and end

    @property
    def commit_requested(self) -> bool:
        return self._context.commit_requested

    def changelog(self) -> list[OutBatch]:
        """What changed in the stores since the last call, as changelog records."""
        batches = []
        for store in self._reused.values():
            self._taken(store, self._stores[store].take_changes())  # they stand in the input already
        for store in self._unlogged:
            self._stores[store].take_changes()
        for partition, store in self._changelogs.items():
            try:
                changes = self._stores[store].take_changes()
            except RegistryError:
                raise
            except Exception as error:  # the loop's edge: whatever a serde raises
                raise SerializationError(
                    f"task {self.id}: the store {store!r} holds what cannot be written: {error}; declare the types of "
                    "its keys and values"
                ) from error
            self._taken(store, changes)
            if changes:
                batches.append(OutBatch(partition, changes.timestamps, changes.keys, changes.values, changes.headers))
        return batches

    def settle(self, offsets: Mapping[TopicPartition, int]) -> None:
        """The changelogs have what `changelog` gave, up to these offsets: the stores on disk may have it too."""
        if self._local is None:
            return
        named = {self._changelogs[changelog]: offset for changelog, offset in offsets.items()}
        for source, store in self._reused.items():
            next_offset = self._inputs.by_partition[source].next_offset
            if next_offset is not None:
                named[store] = next_offset
        self._local.settle({store: offset for store, offset in named.items() if store in self._local})

    def _taken(self, store: str, changes: Changes) -> None:
        if changes and self._local is not None and store in self._local:
            self._local.taken(store, changes)

    def positions(self) -> dict[TopicPartition, tuple[int, str]]:
        """The offset of each input's first unprocessed record, and the metadata to commit with it (rules X4, F15)."""
        return {
            item.partition: (offset, written_metadata(item.partition_time, self._parts.close_times))
            for item in self._inputs.by_partition.values()
            if (offset := self._position(item)) is not None
        }

    def _position(self, item: PartitionInput) -> int | None:
        """Without progress there is nothing to commit, unless windows were emitted by the wall clock (rule E9)."""
        return item.resumed_at if item.next_offset is None and self._emitted_by_clock else item.next_offset

    def committed(self) -> None:
        """What `positions` said is committed."""
        self.needs_commit = self._context.commit_requested = False

    def discard(self) -> None:
        """Forget what is buffered and not processed."""
        for item in self._inputs.by_partition.values():
            item.discard()
        for discard in self._parts.discards:
            discard()

    def read(self, query: Query) -> Page:
        """Answer a question from outside, between two rounds."""
        spec, nodes = self._parts.specs[query.store], self._parts.nodes
        return read(spec, self._stores[query.store], Access(result=results_of(query.store, nodes)), query)

    def sizes(self) -> dict[str, int]:
        """About how many rows stores have; without those that would have to be walked through to know it."""
        return {name: len(rows) for name, rows in self._stores.items() if counts_cheaply(rows)}

    def store(self, name: str) -> Rows:
        if name not in self._stores:
            raise StateError(f"there is no store named {name!r}; there are: {', '.join(self._stores) or 'none'}")
        return self._stores[name]

    def close(self) -> None:
        """Close the processors, if they were started, each of them, and the disk, whatever others raise; then the first
        raises.
        """
        started, self._started = self._started, False
        failed: list[MillstreamError] = []
        for close in self._parts.closes if started else ():
            try:
                close()
            except MillstreamError as error:
                failed.append(error)
        if self._local is not None:
            self._local.close()
            self._local = None
        if failed:
            raise failed[0]


def _run_plain(function: NodeFunction, run: Run) -> None:
    """Nothing per record but the call; the place of a record that fails is told by the iterator."""
    for key, value, timestamp in run.rows.walk(run.first, run.end):
        function(key, value, timestamp)


def compile_task(sub: SubTopology, spec: TaskSpec, wiring: Wiring, disk: TaskDisk | None = None) -> Task:
    """A task that is ready to be restored."""
    return Task(sub, spec, wiring, disk)


def _bound(source: Source, topic: str) -> Source:
    value = bound(source.value, topic, is_key=False)
    return replace(source, key=bound(source.key, topic, is_key=True), value=exact(value) if source.internal else value)


def _sources_by_topic(sub: SubTopology, app_id: str) -> dict[str, Source]:
    return {
        internal_topic(app_id, topic) if source.internal else topic: source
        for source in sub.sources
        for topic in source.topics
    }
