"""One run from its kick-off to its end: what the processes say, and what the broker has."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Event
from typing import Final

from millstream.errors import KafkaError

from ..definitions import REPORTS
from ..schedule import aligned
from ..topics import RESULTS
from .board import Board
from .ground import Ground
from .latency import Marked, Planned
from .processes import Child
from .reader import Reader
from .scene import Scene
from .stage import Stage
from .summary import Summary, summary

WAIT_S: Final = 0.02
READY_S: Final = 120.0
STOPPED_DRAIN_S: Final = 15.0
ASK_EVERY_S: Final = 0.1
KICK_OFF_MS: Final = 300


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part: the feeding process, the working one, and this one's own clients."""

    feeder: Child
    worker: Child
    ground: Ground
    reader: Reader


@dataclass(frozen=True, slots=True)
class Pitch:
    """Where and how fast the match is played."""

    bootstrap: str
    partitions: int
    speed: float | None


class Session:
    """A run. Its life is `prepare`, `play`, and, unless it was stopped, the `result` of all."""

    def __init__(self, cast: Cast, pitch: Pitch, stage: Stage, stop: Event) -> None:
        self._cast = cast
        self._pitch = pitch
        self._stage = stage
        self._stop = stop
        self._marked = Marked()
        self._begin_ms = 0.0
        self._feed_done = False
        self.complete = False
        self.scene = Scene()
        self.board = Board(self._marked)

    def prepare(self) -> None:
        """Wait until the match is there and the application reads its topics. Raises what went wrong in there."""
        children = (self._cast.feeder, self._cast.worker)
        ready: set[Child] = set()
        until = time.monotonic() + READY_S
        while len(ready) < len(children) and not self._stop.is_set():
            for child in children:
                for line in child.lines():
                    if line["ready"]:
                        ready.add(child)
                    if child is self._cast.feeder:
                        self.scene.expected, self.scene.length_ms = line["reports"], line["length_ms"]
            if time.monotonic() > until:
                late = next(child.module for child in children if child not in ready)
                raise KafkaError(f"the {late} was not ready after {READY_S:.0f} s")
            self._stage.show(self.board, self.scene)
            self._stop.wait(WAIT_S)

    def play(self) -> None:
        """Send the match and take what comes out, until everything is out, or the user stops it."""
        if self._stop.is_set():
            return
        self._kick_off()
        while not self._feed_done and not self._stop.is_set():
            self._turn()
        self.scene.phase = "coming to its end"
        self._cast.feeder.let_go()
        self._drain()

    def result(self) -> Summary:
        """What it came to, of the reports that were sent."""
        passed_ms = self.board.last_read_ms - self._begin_ms
        return summary(self.board, self.scene, max(0.0, passed_ms / 1000), complete=self.complete)

    def _kick_off(self) -> None:
        """At real-time speed the match is now; else it is in the past, so that it doesn't run into the future."""
        now_ms = time.time() * 1000
        speed, scene = self._pitch.speed, self.scene
        if speed == 1.0:
            scene.start_ms = aligned(int(now_ms) + KICK_OFF_MS)
            self._begin_ms = scene.start_ms
        else:
            scene.start_ms = aligned(int(now_ms) - (scene.length_ms or 0))
            self._begin_ms = now_ms + KICK_OFF_MS
        if speed is not None:
            self.board.sent_at = Planned(scene.start_ms, self._begin_ms, speed)
        self._cast.feeder.send(
            {
                "bootstrap": self._pitch.bootstrap,
                "partitions": self._pitch.partitions,
                "start_ms": scene.start_ms,
                "begin_ms": self._begin_ms,
                "speed": speed,
            }
        )
        scene.phase = "before kick-off"

    def _turn(self) -> None:
        """Hear everybody once, and show it."""
        for line in self._cast.feeder.lines():
            self.scene.phase = "live" if self._pitch.speed == 1.0 else "replay"
            self.scene.sent, self.scene.sent_ms = line["reports"], line["at_ms"]
            self._marked.mark(line["at_ms"], line["wall_ms"])
            self._feed_done = "done" in line
            self.complete = line.get("complete", False)
        for line in self._cast.worker.lines():
            self.scene.count(line["records"], time.time() * 1000)
            self.scene.late = line["late"]
        for topic, value, read_ms in self._cast.reader.read(WAIT_S):
            self.board.take(topic, value, read_ms)
        self._stage.show(self.board, self.scene)

    def _drain(self) -> None:
        """Until what was sent is processed and its results are read; for a while only, if the user wants to go."""
        asked_s = 0.0
        ends = None
        until = time.monotonic() + STOPPED_DRAIN_S
        while not (self._feed_done and ends is not None and self._cast.reader.reached(ends)):
            self._turn()
            now_s = time.monotonic()
            if self._stop.is_set() and now_s > until:
                self.complete = False
                return
            if self._feed_done and ends is None and now_s - asked_s >= ASK_EVERY_S:
                asked_s = now_s
                if self._cast.ground.processed([REPORTS, *self._cast.ground.internal_topics("repartition")]):
                    ends = self._cast.ground.ends(RESULTS)
