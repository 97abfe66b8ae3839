"""The broker's core on a folder, without sockets: it crashes at writes, comes back with what its files have."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from millstream.broker.broker import Broker, Call
from millstream.broker.dispatch import HANDLERS
from millstream.broker.log.blob import FileBlob
from millstream.broker.settings import BrokerSettings
from millstream.broker.upkeep import keep_up
from tests.simulator.network import Answered, Network
from tests.simulator.schedule import WALL_BASE_MS, Schedule

SETTINGS = BrokerSettings(session_min_ms=100, group_initial_delay_ms=5)
NO_SPACE = 28
UPKEEP_MS = 700.0

Observer = Callable[[int, Any, Any], None]
"""Told of every request that was answered: its key, its message, and the answer."""


class CrashedError(BaseException):
    """The broker's process ends in the middle of a write."""


class Disk:
    """What appends to the broker's files meet."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.full = False
        self.crash_at_writes = 0.0
        self.spare = True  # nothing fails while the broker starts

    def append(self, blob: FileBlob, parts: Sequence[bytes | memoryview], write: Callable[..., None]) -> None:
        if self.full and not self.spare:
            raise OSError(NO_SPACE, os.strerror(NO_SPACE))
        if self.spare or not self._schedule.often(self.crash_at_writes):
            write(blob, parts)
            return
        data = b"".join(parts)
        size = self._schedule.chance.choice((0, self._schedule.chance.randint(0, len(data)), len(data)))
        self._schedule.tell("the broker dies writing: {} of {} bytes are on disk", size, len(data))
        if size == len(data):
            write(blob, parts)
        elif size:
            os.pwrite(blob._fd, data[:size], blob.size)
        raise CrashedError


@contextmanager
def met_by_appends(disk: Disk) -> Iterator[None]:
    write = FileBlob.append
    FileBlob.append = lambda blob, parts: disk.append(blob, parts, write)  # type: ignore[method-assign]
    try:
        yield
    finally:
        FileBlob.append = write  # type: ignore[method-assign]


class SimulatedServer:
    def __init__(self, schedule: Schedule, network: Network, folder: Path, settings: BrokerSettings = SETTINGS) -> None:
        self.schedule = schedule
        self.disk = Disk(schedule)
        self.observers: list[Observer] = []
        self.starts = 0
        self._network = network
        self._folder = folder
        self._settings = settings
        self._ids = iter(range(1, 1_000_000))
        self._core: Broker | None = None
        self._alarm_ms: float | None = None
        network.server = self

    @property
    def up(self) -> bool:
        return self._core is not None

    @property
    def core(self) -> Broker:
        assert self._core is not None, "the broker is down"
        return self._core

    def start(self) -> None:
        if self._core is not None:
            return
        self.starts += 1
        self.disk.spare = True
        self._core = Broker(
            self._folder,
            lambda: uuid.UUID(int=next(self._ids)),
            self._wall_ms,
            self.schedule.now_ms,
            settings=self._settings,
        )
        self.disk.spare = False
        self._alarm_ms = None
        self._set_alarm()
        self.schedule.after(UPKEEP_MS, self._upkeep(self._core))

    def crash(self) -> None:
        """Its process ends; files have what was written to them."""
        core, self._core = self._core, None
        if core is None:
            return
        self.schedule.tell("the broker is gone")
        for partition in core.partitions.all():
            partition.log._close_files()
        for journal in (core.metadata, core._groups_journal, core._transactions_journal):
            journal.close()
        self._network.server_gone()

    def stop(self) -> None:
        """It ends as it was told to."""
        core, self._core = self._core, None
        if core is not None:
            self.schedule.tell("the broker stops")
            core.close()
            self._network.server_gone()

    def remove(self) -> None:
        self.crash()
        shutil.rmtree(self._folder, ignore_errors=True)

    def handle(
        self,
        client: str,
        call: tuple[int, int, Any],
        reply: Answered,
        on_gone: Callable[[Callable[[], None]], None] = lambda _: None,
    ) -> None:
        key, version, message = call
        core = self.core
        now_ms = self.schedule.now_ms
        around = Call(version, client, "10.0.0.9", "127.0.0.1", 9092, self._wall_ms(), now_ms, on_gone)

        def answered(answer: Any) -> None:
            for observer in self.observers:
                observer(key, message, answer)
            reply(answer)

        try:
            HANDLERS[key](core, around, message, answered)
        except CrashedError:
            self.crash()
        self._set_alarm()

    def ask(self, *call: Any) -> Any:
        """From outside of the network, answered at once; None if the broker died over it."""
        answers: list[Any] = []
        self.handle("outside", (call[0], call[1], call[2]), answers.append)
        return answers[0] if answers else None

    def _wall_ms(self) -> int:
        return round(WALL_BASE_MS + self.schedule.now_ms)

    def _set_alarm(self) -> None:
        deadline = self._core.timers.next_deadline() if self._core is not None else None
        if deadline is None or (self._alarm_ms is not None and self._alarm_ms <= deadline):
            return
        self._alarm_ms = deadline
        core = self._core

        def ring() -> None:
            if self._core is not core or core is None or self._alarm_ms != deadline:
                return
            self._alarm_ms = None
            try:
                core.timers.fire(self.schedule.now_ms)
            except CrashedError:
                self.crash()
            self._set_alarm()

        self.schedule.at(deadline, ring)

    def _upkeep(self, core: Broker) -> Callable[[], None]:
        def keep() -> None:
            if self._core is core:
                try:
                    for _ in keep_up(core, self._wall_ms()):
                        pass
                except CrashedError:
                    self.crash()
                    return
                self.schedule.after(UPKEEP_MS, keep)

        return keep
