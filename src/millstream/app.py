"""An application: a program, its settings, and running it."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from millstream.broker.launch import EmbeddedBroker
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.config import Settings
from millstream.config_sources import with_sources
from millstream.dsl.program import Program
from millstream.runtime import Worker, WorkerStatus
from millstream.runtime.clock import SystemClock
from millstream.service import log_as_json, worker_service
from millstream.site import call_site

LOG = logging.getLogger("millstream.app")


class App(Program):
    """A program under an application id, with its settings (`millstream.config.Settings` documents each).

    A file `millstream.toml` beside the program, and over it variables of the environment named `MILLSTREAM_...`, change
    what is given here.

    >>> app = App("words", commit_interval="5s")
    >>> app.stream("lines", value=str).filter(lambda line: "fox" in line).to("foxes")
    >>> len(app.topology().subtopologies)
    1
    """

    def __init__(self, application_id: str, **settings: Any) -> None:
        folder = Path(call_site().file).parent
        self.settings = Settings.of(application_id, **with_sources(settings, os.environ, folder))
        self._worker: Worker | None = None
        super().__init__(
            emit=self.settings.emit, optimize=self.settings.optimize, require_names=self.settings.require_names
        )

    def configure(self, **changes: Any) -> None:
        """Change settings after the fact, named as they are in `Settings`; this is the last word.

        >>> app = App("words")
        >>> app.configure(bootstrap_servers="127.0.0.1:9092")
        >>> app.settings.bootstrap_servers
        '127.0.0.1:9092'
        """
        self.settings = dataclasses.replace(self.settings, **changes)
        self.optimize, self.require_names = self.settings.optimize, self.settings.require_names

    def run(self, stop: threading.Event | None = None) -> None:
        """Process until SIGINT or SIGTERM comes, or `stop` is set; then commit and return.

        Without `bootstrap_servers` the embedded broker of the state folder is joined, or started, and topics that do
        not exist yet are created on it with one partition.

        Raises:
            TopologyError: the program cannot run as written, or a source topic is missing.
            BrokerUnavailableError: nobody answers at `bootstrap_servers`.
            MillstreamError: what stopped the processing. What came before was committed.
        """
        topology = self.topology()
        if self.settings.log_format == "json":
            log_as_json()
        with ExitStack() as stack:
            settings = self.settings
            if settings.bootstrap_servers is None:
                broker = stack.enter_context(EmbeddedBroker.shared(settings.state_dir))
                settings = dataclasses.replace(
                    settings,
                    bootstrap_servers=broker.bootstrap,
                    create_missing_topics=settings.create_missing_topics or 1,
                )
            where = "the embedded broker" if self.settings.bootstrap_servers is None else "Kafka"
            LOG.info("%s runs on %s at %s", settings.application_id, where, settings.bootstrap_servers)
            client = LibrdkafkaClient(
                str(settings.bootstrap_servers),
                common=settings.kafka,
                consumer=settings.consumer,
                producer=settings.producer,
                unavailable_after_ms=settings.broker_timeout_ms,
            )
            self._worker = Worker(topology, settings, client)
            stack.enter_context(worker_service(settings, self._worker, client, SystemClock()))
            self._worker.run(stack.enter_context(stopped_by_signals(stop)))

    def status(self) -> WorkerStatus:
        """What the worker of `run` tells of itself: its tasks, records, lag. From any thread; empty before `run`.

        >>> App("words").status().ready
        False
        """
        return WorkerStatus() if self._worker is None else self._worker.status()


@contextmanager
def stopped_by_signals(stop: threading.Event | None = None) -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second SIGINT interrupts at once. In other threads no signal is taken."""
    event = stop or threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if event.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        event.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
