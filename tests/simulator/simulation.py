"""One seed: a cluster is drawn, runs through its faults, calms down, and is looked at."""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from millstream.client.contract import TopicSpec
from millstream.config import Settings
from millstream.errors import KafkaError, StateError
from millstream.model import OutBatch, TopicPartition
from millstream.plan.internal import TaskSpec, internal_topics
from millstream.plan.topology import Topology
from millstream.runtime import Worker
from tests.simulator import requests
from tests.simulator.checks import Inspection, Watch, written
from tests.simulator.client import SimulatedClient
from tests.simulator.disks import Disks, used_by_workers
from tests.simulator.faults import (
    BROKER_CRASH,
    BROKER_STOP,
    CUT,
    DISK_FULL,
    FREEZE,
    JUMP,
    KILL,
    STOP,
    Climate,
    Fault,
    drawn,
)
from tests.simulator.host import Process, StopSignal
from tests.simulator.network import Network, Weather
from tests.simulator.records import encoded
from tests.simulator.scenarios import APP_ID, FEED_MS, SCENARIOS, Row, Scenario, partition_of
from tests.simulator.schedule import Schedule
from tests.simulator.server import SimulatedServer, met_by_appends

CALM_MS = 60_000
GUARANTEES = ("at_least_once", "exactly_once_v2")
_EXACTLY_ONCE = {"processing_guarantee": "exactly_once_v2", "transaction_timeout": "2s"}
RESTART_MS = 100
LOG = logging.getLogger("millstream")


@dataclass
class Outcome:
    """What came of a seed: `violations` is empty where all is well."""

    seed: int
    scenario: str
    violations: list[str]
    story: list[tuple[float, str, tuple[object, ...]]]
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is run of everything that there is; `faults` are kinds that must occur."""

    scenarios: tuple[Scenario, ...] = SCENARIOS
    guarantees: tuple[str, ...] = GUARANTEES
    faults: tuple[str, ...] = ()
    standbys: tuple[int, ...] = (0, 0, 0, 1, 2)


ALL = Wanted()


class Host:
    """A machine: which process runs on it, and where its state is."""

    def __init__(self, name: str, state: Path) -> None:
        self.name = name
        self.state = state
        self.process: Process | None = None
        self.runs = 0


class Simulation:
    def __init__(self, seed: int, folder: Path, wanted: Wanted = ALL) -> None:
        self.seed = seed
        self.schedule = Schedule(seed)
        chance = self.schedule.chance
        self.scenario = chance.choice(wanted.scenarios)
        self.guarantee = chance.choice(wanted.guarantees)
        self.emit = chance.choice(("every", "latest"))
        self.topology = _topology(self.scenario.name, self.emit)
        self.network = Network(self.schedule)
        self.server = SimulatedServer(self.schedule, self.network, folder / "broker")
        self.disks = Disks()
        self.violations: list[str] = []
        self.watch = Watch(self.schedule, self.server, self.violations)
        self.standbys = Random(f"standbys of {seed}").choice(
            wanted.standbys
        )  # apart, so that seeds stay what they were
        self._folder = folder
        self.set_climate(drawn(chance, wanted.faults))
        self.settings = self._settings()
        self.calm = False
        self.ending = False
        self._left = 0

    def set_climate(self, climate: Climate) -> None:
        """Other hosts and faults than those that were drawn."""
        self.climate = climate
        self.network.weather = climate.weather
        self.watch.zombies = climate.may_outlast_sessions
        shared = self.schedule.often(0.3)  # workers on one machine
        states = ["state" if shared else f"state-{number}" for number in range(climate.hosts)]
        self.hosts = [Host(f"w{number}", self._folder / state) for number, state in enumerate(states)]

    def _settings(self) -> Settings:
        chance = self.schedule.chance
        return Settings.of(
            APP_ID,
            bootstrap_servers="simulated:9092",
            emit=self.emit,
            commit_interval=f"{chance.choice((50, 150, 400))}ms",
            store=chance.choice(("memory", "rocksdb")),
            cache=chance.choice((1, 2_000, 1_000_000)),
            round_records=chance.choice((5, 20, 10_000)),
            buffer_records=chance.choice((10, 10_000)),
            lag_wait="100ms",
            call_timeout="3s",
            stop_timeout="3s",
            num_standby_replicas=self.standbys,
            replication=1,
            **({} if self.guarantee == "at_least_once" else _EXACTLY_ONCE),
            wait_for_inputs=chance.choice((0, 100)),
            topic={"segment.ms": "300", "min.cleanable.dirty.ratio": "0.01"} if chance.random() < 0.3 else {},
        )

    # --- the course of it

    def run(self) -> Outcome:
        tell = self.schedule.tell
        tell("{}, {}, {}, {}", self.scenario.name, self.guarantee, self.settings.store, self.climate)
        if self.standbys:
            tell("{} standby copies of each task", self.standbys)
        self.server.start()
        self.server.ask(*requests.create_topics([TopicSpec(n, p, {}, 1) for n, p in self.scenario.topics.items()]))
        self.watch.tasks = self._tasks()
        self._write_later(self.scenario.feed(self.schedule.chance))
        for host, at_ms in zip(self.hosts, self.climate.starts_ms, strict=True):
            self.schedule.at(at_ms, functools.partial(self._start, host))
        self.schedule.at(50, self._begin_faults)
        for fault in self.climate.faults:
            self.schedule.at(fault.at_ms, functools.partial(self._befall, fault))
        end_ms = max([FEED_MS, *(fault.at_ms + fault.for_ms for fault in self.climate.faults)])
        self.schedule.run_until(lambda: False, end_ms + 50)
        self._calm_down()
        if self._settled("the feed"):
            probes = self.scenario.probes()
            self._write_later(probes)
            if not probes or self._settled("the probes"):
                self._end()
                self._inspect()
        return Outcome(
            self.seed,
            f"{self.scenario.name}, {self.guarantee}",
            self.violations,
            self.schedule.story,
            {
                "events": self.schedule.events,
                "virtual ms": round(self.schedule.now_ms),
                "runs": sum(host.runs for host in self.hosts),
                "broker starts": self.server.starts,
            },
        )

    def _begin_faults(self) -> None:
        self.server.disk.crash_at_writes = self.climate.crash_at_writes

    def _calm_down(self) -> None:
        """No more faults, and everybody is there."""
        self.calm = True
        self.schedule.tell("from now on all is calm")
        self.network.weather = Weather(latency_ms=1.0)
        self.server.disk.full, self.server.disk.crash_at_writes = False, 0.0
        self._start_broker()
        for host in self.hosts:
            self._start(host)

    def _settled(self, what: str) -> bool:
        """Whether everything that was written is processed and committed, within a minute."""
        if self.schedule.run_until(self._done, self.schedule.now_ms + CALM_MS):
            return True
        self.violations.append(f"{what} was not processed within {CALM_MS} ms of calm: {self.watch.behind(self.group)}")
        return False

    def _done(self) -> bool:
        return bool(self.violations) or (self._left == 0 and self.server.up and not self.watch.behind(APP_ID))

    @property
    def group(self) -> str:
        return APP_ID

    def _end(self) -> None:
        """Some are stopped, others killed."""
        self.ending = True
        for host in self.hosts:
            process = host.process
            if process is not None and self.schedule.often(0.7):
                process.stopping = True
                self.schedule.run_until(lambda ended=process: ended.ended, self.schedule.now_ms + 10_000)
                if not process.ended:
                    self.violations.append(f"{process.name} does not stop")
                elif process.error is not None:
                    self.violations.append(f"{process.name} does not stop well: {process.error!r}")
        for host in self.hosts:
            if host.process is not None:
                host.process.kill()

    def _inspect(self) -> None:
        if self.violations:
            return
        inspection = Inspection(
            self.server,
            exactly_once=self.guarantee != "at_least_once",
            zombies=self.watch.zombies,
            every=self.emit == "every",
        )
        self.violations += self.scenario.check(inspection)
        self.violations += inspection.broken_logs()
        if inspection.exactly_once or not inspection.zombies:
            self.violations += inspection.stale_disks(self.topology, self.watch.tasks.values(), self.disks)

    def close(self) -> None:
        self.calm = True
        for host in self.hosts:
            if host.process is not None:
                host.process.kill()
        self.server.crash()

    # --- workers

    def _start(self, host: Host) -> None:
        if host.process is not None:
            return
        host.runs += 1
        settings = dataclasses.replace(self.settings, state_dir=host.state)

        def program() -> None:
            worker = Worker(self.topology, settings, SimulatedClient(process), process)
            worker.run(StopSignal(process))  # type: ignore[arg-type]

        process = Process(f"{host.name}.{host.runs}", self.schedule, self.network, program, self.watch.lost)
        host.process = process
        self.schedule.tell("{} starts", process.name)
        self._supervise(host, process)

    def _supervise(self, host: Host, process: Process) -> None:
        """Look now and then whether it has ended by itself; what fails is started again."""

        def look() -> None:
            if host.process is not process or self.ending:
                return
            if not process.ended:
                self.schedule.after(RESTART_MS, look)
                return
            self._judge(process)
            host.process = None
            if not process.stopping or self.calm:
                self._start(host)

        self.schedule.after(RESTART_MS, look)

    def _judge(self, process: Process) -> None:
        error = process.error
        self.schedule.tell("{} ended: {}", process.name, repr(error))
        allowed = error is None or isinstance(error, KafkaError) or _is_of_faults(error)
        if not allowed:
            problem = f"{process.name} failed: {error!r}"
            self.violations.append(problem)
            raise UnexpectedError(problem) from error

    # --- faults

    def _befall(self, fault: Fault) -> None:
        host = self.hosts[fault.host]
        process = host.process
        self.schedule.tell("{}: {} for {:.0f} ms", host.name, fault.kind, fault.for_ms)
        if fault.kind == BROKER_CRASH:
            self.server.crash()
            self.schedule.after(fault.for_ms, self._start_broker)
        elif fault.kind == BROKER_STOP:
            self.server.stop()
            self.schedule.after(fault.for_ms, self._start_broker)
        elif fault.kind == DISK_FULL:
            self.server.disk.full = True
            self.schedule.after(fault.for_ms, self._free_disk)
        elif process is None:
            return
        elif fault.kind == KILL:
            process.kill()
            self.watch.look_at_disks(self.disks)
            self._gone(host, fault)
        elif fault.kind == STOP:
            process.stopping = True
            self.schedule.after(fault.for_ms + 3_500, functools.partial(self._back, host, process))
        elif fault.kind == FREEZE:
            process.freeze(fault.for_ms)
        elif fault.kind == CUT:
            process.cut_off(fault.for_ms)
        elif fault.kind == JUMP:
            process.wall_shift_ms += round((fault.for_ms - 400) * 10)

    def _free_disk(self) -> None:
        self.server.disk.full = False

    def _gone(self, host: Host, fault: Fault) -> None:
        host.process = None
        if fault.wipes:
            shutil.rmtree(host.state, ignore_errors=True)
        self.schedule.after(fault.for_ms, functools.partial(self._start, host))

    def _back(self, host: Host, process: Process) -> None:
        if host.process is process and not process.ended:
            process.kill()
        if host.process is process or host.process is None:
            host.process = None
            self._start(host)

    def _start_broker(self) -> None:
        if not self.server.up:
            self.schedule.tell("the broker starts")
            self.server.start()
        elif self.calm:
            return

    # --- input

    def _write_later(self, rows: list[Row]) -> None:
        self._left += len(rows)
        for row in rows:
            self.schedule.at(self.schedule.now_ms + row.at_ms, functools.partial(self._write, row))

    def _write(self, row: Row, *, unsure: bool = False) -> None:
        """Again and again until it is written; `unsure`: the broker has died over it."""
        partition = partition_of(row, self.scenario.topics[row.topic])
        target = TopicPartition(row.topic, partition)
        records = encoded(OutBatch(target, [row.timestamp], [row.key], [row.value]), -1, -1, -1)
        if unsure and self.server.up:
            unsure = False
            if self._stands(target, row):
                self._left -= 1
                return
        answer = None
        if self.server.up:
            answer = self.server.ask(*requests.produce(target, records))
            unsure = answer is None
        if answer is None or answer.topics[0].partitions[0].error_code:
            self.schedule.after(50, functools.partial(self._write, row, unsure=unsure))
        else:
            self._left -= 1

    def _stands(self, target: TopicPartition, row: Row) -> bool:
        wanted = (row.key.decode(), json.loads(row.value))
        return any((each.key, each.value) == wanted for each in written(self.server, target))

    def _tasks(self) -> dict[TopicPartition, TaskSpec]:
        resolved = internal_topics(self.topology, APP_ID, self.scenario.topics)
        return {TopicPartition(f"{APP_ID}-tasks", n): spec for n, spec in enumerate(resolved.tasks)}


class UnexpectedError(Exception):
    """A worker ended with something that no fault explains."""


def _is_of_faults(error: BaseException) -> bool:
    return isinstance(error, StateError) and "locked by another process" in str(error)


@functools.cache
def _topology(name: str, emit: str) -> Topology:
    scenario = next(each for each in SCENARIOS if each.name == name)
    return scenario.app(emit).topology()


@contextmanager
def surroundings() -> Iterator[Path]:
    """A folder for the seeds, and a runtime without what only concerns a process of its own."""
    memory = Path("/dev/shm")
    with ExitStack() as stack:
        where = memory if memory.is_dir() else None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="millstream-simulator-", dir=where)))
        stack.enter_context(mock.patch("millstream.runtime.worker.rare_collections", nullcontext))
        stack.enter_context(mock.patch("millstream.runtime.worker.home_of", lambda state_dir, _app: state_dir.name))
        level = LOG.level
        LOG.setLevel(logging.CRITICAL + 1)
        stack.callback(LOG.setLevel, level)
        yield folder


def simulate(seed: int, folder: Path, wanted: Wanted = ALL) -> Outcome:
    """Run one seed; everything that it needs of the disk is gone afterwards."""
    home = folder / str(seed)
    try:
        return simulated(Simulation(seed, home, wanted))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def simulated(simulation: Simulation) -> Outcome:
    with met_by_appends(simulation.server.disk), used_by_workers(simulation.disks):
        try:
            return simulation.run()
        except UnexpectedError:
            story = simulation.schedule.story
            return Outcome(simulation.seed, simulation.scenario.name, simulation.violations, story)
        finally:
            simulation.close()


def as_json(value: bytes | None) -> Any:
    return None if value is None else json.loads(value)
