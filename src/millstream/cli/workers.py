"""`millstream run --workers N`: the parent of N workers, and what each of these is told."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack

from millstream.app import App, stopped_by_signals
from millstream.broker.launch import EmbeddedBroker
from millstream.config import Settings
from millstream.errors import AddressInUseError, BrokerUnavailableError, ConfigError
from millstream.runtime.clock import SystemClock
from millstream.runtime.supervisor import Supervisor
from millstream.service import log_as_json

STOP_SPARE_MS = 10_000  # beyond the last commit: to leave the group and to end


def supervise(app: App, program: str, bootstrap: str | None, workers: int) -> int:
    """Run a program in that many processes until it is told to stop; returns the exit status.

    The program is imported here once, so that what is wrong with it is told once. The embedded broker is held by the
    parent: it is there for as long as any worker may come back.
    """
    app.topology()
    settings = app.settings
    if settings.log_format == "json":
        log_as_json()
    with ExitStack() as stack:
        if settings.bootstrap_servers is None:
            stack.enter_context(EmbeddedBroker.shared(settings.state_dir))
        supervisor = Supervisor(
            lambda number: _command(program, bootstrap, f"{number}/{workers}"),
            workers,
            SystemClock(),
            prefixed=settings.log_format == "text",
        )
        stop = stack.enter_context(stopped_by_signals())
        return supervisor.run(stop, settings.stop_timeout_ms + STOP_SPARE_MS)


def run_worker(app: App, place: str) -> None:
    """Be the worker N of M until told to stop, or until the parent has gone."""
    number, workers = _place(place)
    app.configure(**own_settings(app.settings, number, workers))
    gone = threading.Event()
    threading.Thread(target=_await_parent, args=(gone,), name="millstream-parent", daemon=True).start()
    try:
        app.run(gone)
    except (AddressInUseError, BrokerUnavailableError) as error:
        error.exit_status = 1  # the parent tries again: ports become free, and brokers come back
        raise


def own_settings(settings: Settings, number: int, workers: int) -> dict[str, object]:
    """What one of several workers on a machine has for its own.

    >>> app = Settings.of("app", group_instance_id="host-a", http="0.0.0.0:8080", advertise="10.0.0.7:80")
    >>> own_settings(app, 2, 4)
    {'group_instance_id': 'host-a-2', 'http': '0.0.0.0:8081', 'advertise': '10.0.0.7:81', 'create_missing_topics': 4}
    """
    own: dict[str, object] = {}
    if settings.group_instance_id is not None:
        own["group_instance_id"] = f"{settings.group_instance_id}-{number}"
    for name, address in (("http", settings.http), ("advertise", settings.advertise)):
        if address is not None:
            host, _, port = address.rpartition(":")
            own[name] = f"{host}:{int(port) + number - 1 if int(port) else 0}"
    if settings.bootstrap_servers is None and not settings.create_missing_topics:
        own["create_missing_topics"] = workers  # with one partition, one of them would have all the work
    return own


def _command(program: str, bootstrap: str | None, place: str) -> Sequence[str]:
    # -P: a module in the user's folder must not be taken for one of the standard library.
    command = [sys.executable, "-P", "-m", "millstream", "run", program, "--worker", place]
    return command if bootstrap is None else [*command, "--bootstrap", bootstrap]


def _place(written: str) -> tuple[int, int]:
    number, _, workers = written.partition("/")
    try:
        return int(number), int(workers)
    except ValueError:
        raise ConfigError(f"--worker {written}: --workers sets it for its processes; leave it out") from None


def _await_parent(gone: threading.Event) -> None:
    while os.read(0, 1024):  # not sys.stdin: a thread that waits in it would not let the interpreter end
        pass
    gone.set()
