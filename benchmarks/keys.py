"""`python -m benchmarks.keys`: what a record costs when the stores hold few rows, and when they hold many.

Tasks are driven without a broker, in one process. The cost is the CPU time of the process while a task works: decoding,
the stores, encoding what is put out, and the changelog. For comparison rows are counted in plain dictionaries: memory
that is not in the processor's caches makes these slower too, the more rows they hold.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from benchmarks.keyed import BLOCK, OUTPUT, SOURCE, WORKLOADS, Block, Keyed
from millstream.engine import EngineSettings, GlobalTables, Outbox, Task, Wiring, compile_task, stores_on_disk
from millstream.model import Batch, TopicPartition
from millstream.plan.internal import internal_topics
from millstream.runtime.collector import rare_collections
from millstream.state import CacheBudget
from millstream.state.rocksdb import RocksMemory, RocksTaskDisk

Store: TypeAlias = Literal["memory", "rocksdb"]
STORES: tuple[Store, ...] = ("memory", "rocksdb")

ROWS = (1_000, 100_000, 1_000_000)
SHORT_ROWS = (1_000, 10_000, 100_000)
AT_LEAST = 50_000  # records that are measured
CACHE_MB = 64  # for live rows of stores on disk


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of one record in us."""

    rows: int
    us: float


class Counting(Protocol):
    """What is measured."""

    def process(self, block: Block) -> None: ...
    def close(self) -> None: ...


class Driven:
    """A task that is given blocks of records; a commit follows each."""

    def __init__(self, workload: Keyed, rows: int, store: Store = "memory", cache_mb: int = CACHE_MB) -> None:
        topology = workload.application(rows).topology()
        self._outbox = Outbox({OUTPUT: 1})
        [spec] = internal_topics(topology, "keys", {SOURCE: 1, OUTPUT: 1}).tasks
        sub = topology.subtopology(spec.id.subtopology)
        self._stores = [store.name for store in sub.stores]
        self._cache = CacheBudget(cache_mb * 1_000_000)
        self._closing = ExitStack()
        wiring = Wiring("keys", EngineSettings(), self._outbox, GlobalTables(topology), 0, cache=self._cache)
        disk = None
        if store == "rocksdb":
            folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="millstream-keys-")))
            disk = RocksTaskDisk(folder / "task", stores_on_disk(sub.stores, store), RocksMemory())
        self._task: Task = compile_task(sub, spec, wiring, disk)
        self._task.start()
        self._source = TopicPartition(SOURCE, 0)
        self._offset = 0

    def process(self, block: Block) -> None:
        first, end = self._offset, self._offset + len(block.keys)
        batch = Batch(self._source, range(first, end), block.timestamps, block.keys, block.values, None, end)
        self._offset = end
        self._task.add(batch)
        self._task.process(max_rows=len(block.keys), up_to_ms=None, wall_ms=0)
        self._task.end_round()
        self._outbox.drain()
        self._task.settle({changes.target: end for changes in self._task.changelog()})
        self._task.committed()
        self._cache.relieve()

    def rows(self) -> int:
        """How many rows the stores hold on average."""
        return sum(len(self._task.store(name)) for name in self._stores) // len(self._stores)

    def close(self) -> None:
        self._task.close()
        self._closing.close()


class Dictionaries:
    """The live objects of a tumbling count, by window and key, and nothing else."""

    def __init__(self, rows: int) -> None:
        self._window_ms = 2 * rows
        self._keys: dict[bytes, str] = {}
        self.windows: dict[int, dict[str, list[object]]] = {}

    def process(self, block: Block) -> None:
        keys, windows, window_ms = self._keys, self.windows, self._window_ms
        for data, timestamp in zip(block.keys, block.timestamps, strict=True):
            key = keys.get(data)
            if key is None:
                key = keys[data] = data.decode()
            number = timestamp // window_ms
            rows = windows.get(number)
            if rows is None:
                windows.pop(number - 2, None)
                rows = windows[number] = {}
            row = rows.get(key)
            if row is None:
                rows[key] = [1, timestamp, (key, number)]
            else:
                row[0], row[1] = row[0] + 1, timestamp  # type: ignore[operator]

    def close(self) -> None:
        self.windows.clear()


def cost(workload: Keyed, rows: int, made: Callable[[Keyed, int], Counting] = Driven) -> Cost:
    """Bring a task into its steady state, and measure it there."""
    counting = made(workload, rows)
    fill, measured = _whole_blocks(workload.fills * rows), _whole_blocks(max(workload.measures * rows, AT_LEAST))
    seconds = 0.0
    with rare_collections():
        for block in workload.blocks(rows, fill, 0):
            counting.process(block)
        for block in workload.blocks(rows, measured, fill):
            begin = time.process_time()
            counting.process(block)
            seconds += time.process_time() - begin
    counting.close()
    return Cost(rows, seconds / measured * 1e6)


def _whole_blocks(records: int) -> int:
    return -(-records // BLOCK) * BLOCK


def table(results: Sequence[tuple[str, Sequence[Cost]]]) -> str:
    """Costs as a Markdown table, with the ratio to the smallest number of rows.

    >>> print(table([("plain dictionaries", [Cost(1_000, 2.0), Cost(10_000, 2.5)])]))
    | workload | 1,000 rows: us | 10,000 rows: us | ratio |
    | --- | ---: | ---: | ---: |
    | plain dictionaries | 2.00 | 2.50 | 1.25 |
    """
    sizes = [cost.rows for cost in results[0][1]]
    headings = ["workload", f"{sizes[0]:,} rows: us"]
    for size in sizes[1:]:
        headings += [f"{size:,} rows: us", "ratio"]
    lines = [headings, ["---"] + ["---:"] * (len(headings) - 1)]
    for name, (least, *more) in results:
        cells = [name, f"{least.us:.2f}"]
        for each in more:
            cells += [f"{each.us:.2f}", f"{each.us / least.us:.2f}"]
        lines.append(cells)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def costs(workload: Keyed, sizes: Sequence[int], name: str, made: Callable[[Keyed, int], Counting]) -> list[Cost]:
    """At each size, told on the way."""
    found: list[Cost] = []
    for rows in sizes:
        found.append(cost(workload, rows, made))
        print(f"{name:18} {rows:10,} rows {found[-1].us:7.2f} us {found[-1].us / found[0].us:6.2f}", flush=True)
    return found


def main() -> None:
    options = _options()
    sizes = [int(size) for size in options.rows.split(",")] if options.rows else SHORT_ROWS if options.short else ROWS
    chosen = [each for each in WORKLOADS if options.only is None or each.name in options.only.split(",")]
    plain = costs(WORKLOADS[0], sizes, "dictionaries", lambda _workload, rows: Dictionaries(rows))
    results = [("plain dictionaries of the rows of a tumbling count", plain)]
    for store in STORES if options.store is None else (options.store,):
        made = partial(Driven, store=store, cache_mb=options.cache_mb)
        results += [
            (f"{each.name}: {each.what}; {store}", costs(each, sizes, f"{each.name} {store}", made)) for each in chosen
        ]
    print(f"\n{table(results)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.keys", description=__doc__)
    parser.add_argument("--short", action="store_true", help=f"up to {SHORT_ROWS[-1]:,} rows only")
    parser.add_argument("--rows", help="numbers of rows, such as 1000,50000")
    parser.add_argument("--only", help="workloads, such as tumbling,session (all)")
    parser.add_argument("--store", choices=STORES, help="where stores keep their rows (both)")
    parser.add_argument("--cache-mb", type=int, default=CACHE_MB, help=f"for live rows over RocksDB ({CACHE_MB})")
    return parser.parse_args()


if __name__ == "__main__":
    main()
