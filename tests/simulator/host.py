"""A machine with a folder for state, and the worker processes that run on it one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet

from millstream.errors import KafkaError
from tests.simulator.network import Connection, Network
from tests.simulator.schedule import WALL_BASE_MS, Schedule

TRANSPORT = -195
RETRY_MS = 20


class KilledError(BaseException):
    """The process is no more: raised where it waits, so that Python lets go of what it holds."""


class Process:
    """One run of a program. It gives way to the others wherever it calls its client, and may not come back.

    Everything that happens to it (answers, timers) comes through `at`: not at all once it is dead, later while it is
    frozen.
    """

    def __init__(
        self, name: str, schedule: Schedule, network: Network, program: Callable[[], None], lost: Callable[[], None]
    ) -> None:
        self.name = name
        self.schedule = schedule
        self.network = network
        self.alive = True
        self.ended = False
        self.stopping = False
        self.error: BaseException | None = None
        self.wall_shift_ms = 0
        self.lost_tasks = lost
        self._frozen_until_ms = 0.0
        self._turn = 0
        self._ready: Callable[[], bool] | None = None
        self._connections: list[Connection] = []
        self._program = program
        self._greenlet = greenlet(self._main)
        self.at(0, self._go)

    # --- the clock that its worker has

    def wall_ms(self) -> int:
        return round(WALL_BASE_MS + self.schedule.now_ms) + self.wall_shift_ms

    def monotonic_ms(self) -> float:
        return self.schedule.now_ms

    # --- what is done to it

    def at(self, delay_ms: float, event: Callable[[], None]) -> None:
        def happen() -> None:
            if not self.alive:
                return
            if self.schedule.now_ms < self._frozen_until_ms:
                self.schedule.at(self._frozen_until_ms, happen)
            else:
                event()

        self.schedule.after(delay_ms, happen)

    def freeze(self, duration_ms: float) -> None:
        self._frozen_until_ms = self.schedule.now_ms + duration_ms

    def cut_off(self, duration_ms: float) -> None:
        """Nothing comes or goes for a while."""
        for each in self._connections:
            each.hold(duration_ms)

    def kill(self) -> None:
        if not self.alive:
            return
        self.alive = False
        for each in self._connections:
            each.close()
        if not self.ended and self._greenlet:  # else it has not begun
            assert getcurrent() is not self._greenlet
            self._greenlet.throw(KilledError)
        self.ended = True

    def connections(self) -> list[Connection]:
        return self._connections

    # --- what its clients do

    def connect(self, label: str) -> Connection:
        connection = Connection(self.network, f"{self.name}/{label}", self.at)
        self._connections.append(connection)
        return connection

    def wake(self) -> None:
        """Something came that it may wait for."""
        if self._ready is not None and self._ready():
            self._ready = None
            self.at(0, self._resumption())

    def pause(self, duration_ms: float) -> None:
        self.wait(duration_ms, None)

    def wait(self, timeout_ms: float, ready: Callable[[], bool] | None) -> None:
        """Let the others go on until something is ready or the time is over."""
        if getcurrent() is not self._greenlet or not self.alive:
            raise KilledError
        self._turn += 1
        self._ready = ready
        self.at(timeout_ms, self._resumption())
        self._greenlet.parent.switch()
        self._ready = None

    def ask(self, connection: Connection, call: tuple[int, int, Any], timeout_ms: float, doing: str) -> Any:
        """A question and its answer, asked again when the connection breaks."""
        until_ms = self.schedule.now_ms + timeout_ms
        while True:
            answers: list[Any] = []

            def answered(answer: Any, into: list[Any] = answers) -> None:
                into.append(answer)
                self.wake()

            connection.ask(*call, answered)
            while not answers and self.schedule.now_ms < until_ms:
                self.wait(until_ms - self.schedule.now_ms, lambda found=answers: bool(found))
            if answers and answers[0] is not None:
                return answers[0]
            if self.schedule.now_ms + RETRY_MS >= until_ms:
                raise KafkaError(f"{doing}: no answer within {timeout_ms} ms", code=TRANSPORT, retriable=True)
            self.pause(RETRY_MS)

    def _resumption(self) -> Callable[[], None]:
        turn = self._turn

        def resume() -> None:
            if turn == self._turn and not self.ended:
                self._turn += 1
                self._go()

        return resume

    def _go(self) -> None:
        self._greenlet.switch()

    def _main(self) -> None:
        try:
            self._program()
        except KilledError:
            pass
        except Exception as error:  # what ends a program is looked at by who runs it
            self.error = error
        self.ended = True
        if self.alive:
            self.alive = False
            for each in self._connections:
                each.close()


class StopSignal:
    """What a worker asks whether it is to stop, as of a `threading.Event`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def is_set(self) -> bool:
        return self._process.stopping

    def wait(self, timeout_s: float) -> bool:
        self._process.wait(timeout_s * 1000, self.is_set)
        return self.is_set()
