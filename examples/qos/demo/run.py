"""A run with all that it needs: broker, topics, processes."""

from __future__ import annotations

import tempfile
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from millstream.app import stopped_by_signals
from millstream.broker.launch import EmbeddedBroker

from .. import replay, simulator
from ..topics import RESULTS, create_topics, publish_benchmarks
from .ground import Ground
from .options import Options, match_seconds
from .processes import Child
from .reader import Reader
from .session import Cast, Pitch, Session
from .stage import JsonStage, LineStage, LiveStage, Stage

INTERRUPTED: Final = 130


def run(options: Options) -> int:
    """Play a match through the application and show what comes out; returns the exit status.

    Ctrl-C is how a match without an end is ended, so the status is then 0; else it is 130.

    Raises:
        MillstreamError: what kept the run from starting, or broke it off.
    """
    if options.reports is not None:
        replay.check(options.reports)
    stage = _stage(options)
    seconds = match_seconds(options, watched=isinstance(stage, LiveStage))
    with ExitStack() as stack:
        stop = stack.enter_context(stopped_by_signals())
        bootstrap = options.bootstrap or _own_broker(stack)
        feeder = stack.enter_context(Child("feeder", _match(options, seconds)))
        partitions = create_topics(bootstrap)
        publish_benchmarks(bootstrap, replay.BENCHMARKS if options.reports else simulator.CDNS, time.time_ns() // 10**6)
        application_id = f"qos-demo-{uuid.uuid4().hex[:8]}"
        ground = Ground(bootstrap, application_id)
        stack.callback(ground.close)
        ground.start_input_here()
        reader = Reader(bootstrap, {at: end for at, end in ground.begin.items() if at[0] in RESULTS})
        stack.callback(reader.close)
        worker = stack.enter_context(Child("worker", _work(options, application_id, bootstrap)))
        session = Session(
            Cast(feeder, worker, ground, reader), Pitch(bootstrap, partitions, options.speed), stage, stop
        )
        with stage:
            session.prepare()
            session.play()
        worker.stop()
        feeder.stop()
        if options.bootstrap is not None:
            ground.clear()
        stage.end(session.result(), session.board)
        endless = options.reports is None and seconds is None
        return 0 if session.complete or endless else INTERRUPTED


def _stage(options: Options) -> Stage:
    if options.json:
        return JsonStage()
    console = Console()
    return LiveStage(console) if console.is_terminal else LineStage()


def _own_broker(stack: ExitStack) -> str:
    """A broker for this run alone, with its data in a temporary folder."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="millstream-demo-", ignore_cleanup_errors=True))
    return stack.enter_context(EmbeddedBroker.private(Path(folder))).bootstrap


def _match(options: Options, seconds: float | None) -> dict[str, Any]:
    return {
        "reports": None if options.reports is None else str(options.reports.resolve()),
        "viewers": options.viewers,
        "seconds": seconds,
        "seed": options.seed,
    }


def _work(options: Options, application_id: str, bootstrap: str) -> dict[str, Any]:
    """A live match has the wall clock to fall back on; in a replay, time is told by the reports alone."""
    clock = "wall" if options.reports is None and options.speed == 1.0 else "stream"
    return {"application_id": application_id, "bootstrap": bootstrap, "clock": clock}
