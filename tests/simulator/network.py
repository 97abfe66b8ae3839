"""Connections to the broker: requests arrive in order, answers come back in order, and either may be late or lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tests.simulator.schedule import Schedule

Answered = Callable[[Any], None]
"""Takes the answer; None when the connection broke before it came, and nobody knows whether the request did."""
Later = Callable[[float, Callable[[], None]], None]


class Server(Protocol):
    @property
    def up(self) -> bool: ...

    def handle(
        self,
        client: str,
        call: tuple[int, int, Any],
        reply: Answered,
        on_gone: Callable[[Callable[[], None]], None] = ...,
    ) -> None: ...


@dataclass(slots=True)
class Weather:
    """How the network is: latency of one way, and how probable a delay and a broken connection are, by request."""

    latency_ms: float = 1.0
    delay: float = 0.0
    longest_delay_ms: float = 0.0
    break_before: float = 0.0
    break_after: float = 0.0


class Network:
    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.weather = Weather()
        self.server: Server | None = None
        self.open: list[Connection] = []

    def way_ms(self) -> float:
        weather, chance = self.weather, self.schedule.chance
        if self.schedule.often(weather.delay):
            return chance.random() * weather.longest_delay_ms
        return weather.latency_ms * (0.5 + chance.random())

    def server_gone(self) -> None:
        for connection in list(self.open):
            connection.reset()


@dataclass(slots=True)
class Request:
    call: tuple[int, int, Any]
    answered: Answered


class Connection:
    """One client's. The server handles one of its requests at a time, as Kafka does."""

    def __init__(self, network: Network, label: str, later: Later) -> None:
        self.label = label
        self.client = label  # what the broker knows it by
        self.closed = False
        self._network = network
        self._later = later
        self._going: deque[Request] = deque()
        self._coming: deque[tuple[Request, Any]] = deque()
        self._unanswered: list[Request] = []
        self._arrived: deque[Request] = deque()
        self._busy: Request | None = None
        self._gone: list[Callable[[], None]] = []
        self._held_until_ms = 0.0
        self._life = 0
        self._failing = False
        network.open.append(self)

    def ask(self, key: int, version: int, message: Any, answered: Answered) -> None:
        if self.closed:
            return
        if self._failing:  # the client has not noticed yet, and cannot send on another connection before
            self._later(0.2, lambda: answered(None))
            return
        request = Request((key, version, message), answered)
        self._unanswered.append(request)
        self._going.append(request)
        self._network.schedule.after(self._network.way_ms(), self._arrival(self._life))

    def hold(self, duration_ms: float) -> None:
        """Nothing goes through for a while; if that is long, the client gives the connection up."""
        self._held_until_ms = self._network.schedule.now_ms + duration_ms
        life = self._life
        if duration_ms > 500:

            def give_up() -> None:
                if life == self._life and not self.closed:
                    self.reset(lost=True)

            self._later(500, give_up)

    def reset(self, *, lost: bool = False) -> None:
        """The connection breaks: of what is under way to the server the first part may still arrive."""
        schedule = self._network.schedule
        arriving = 0 if lost else schedule.chance.randint(0, len(self._going))
        going, self._going = list(self._going)[:arriving], deque()
        unanswered, self._unanswered = self._unanswered, []
        arrived, self._arrived = [*self._arrived, *going], deque()
        self._coming.clear()
        self._busy = None
        self._life += 1
        gone, self._gone = self._gone, []
        for each in gone:
            each()
        server = self._network.server
        for request in arrived:
            if server is not None and server.up:
                server.handle(self.client, request.call, _nobody)
        if unanswered:
            self._failing = True

            def notice() -> None:
                self._failing = False
                for request in unanswered:
                    request.answered(None)

            self._later(0.1, notice)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.reset()
            self._network.open.remove(self)

    # --- on the way

    def _arrival(self, life: int) -> Callable[[], None]:
        def arrive() -> None:
            if life != self._life or not self._going:
                return
            schedule = self._network.schedule
            if schedule.now_ms < self._held_until_ms:
                schedule.at(self._held_until_ms, arrive)
                return
            server = self._network.server
            if server is None or not server.up or schedule.often(self._network.weather.break_before):
                self.reset(lost=True)
                return
            self._arrived.append(self._going.popleft())
            self._serve()

        return arrive

    def _serve(self) -> None:
        server = self._network.server
        if self._busy is not None or not self._arrived or server is None:
            return
        request = self._busy = self._arrived.popleft()
        life = self._life

        def reply(answer: Any) -> None:
            if life != self._life:
                return
            if self._network.schedule.often(self._network.weather.break_after):
                self._network.schedule.after(0, lambda: life == self._life and self.reset())
                return
            self._busy = None
            self._gone.clear()
            self._coming.append((request, answer))
            self._return(self._network.way_ms())
            if self._arrived:
                self._network.schedule.after(0, lambda: life == self._life and self._serve())

        server.handle(self.client, request.call, reply, self._gone.append)

    def _return(self, delay_ms: float) -> None:
        life = self._life
        schedule = self._network.schedule

        def come() -> None:
            if life != self._life or not self._coming:
                return
            if schedule.now_ms < self._held_until_ms:
                schedule.at(self._held_until_ms, lambda: self._later(0, come))
                return
            request, answer = self._coming.popleft()
            self._unanswered.remove(request)
            request.answered(answer)

        self._later(delay_ms, come)


def _nobody(_answer: Any) -> None:
    """Who asked is gone."""
