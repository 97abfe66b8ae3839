"""A worker's HTTP service: its routes, for as long as it runs."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import msgspec

from millstream.client.contract import KafkaClient
from millstream.config import Settings
from millstream.runtime import Worker, WorkerStatus
from millstream.runtime.clock import Clock
from millstream.runtime.task_table import tasks_topic
from millstream.service.announcing import Announcer, announcing
from millstream.service.health import Judgement, alive, ready
from millstream.service.http import Answer, Route, of_application, serving
from millstream.service.metrics import CONTENT_TYPE, exposition
from millstream.service.store_routes import store_routes

LOG = logging.getLogger("millstream.service")


@contextmanager
def worker_service(settings: Settings, worker: Worker, client: KafkaClient, clock: Clock) -> Iterator[str | None]:
    """Serve a worker's routes where `http` says, and tell others where; gives the address, None without the setting."""
    if settings.http is None:
        yield None
        return
    application = settings.application_id
    reads = of_application(application, {**routes(settings, worker.status, clock), **store_routes(worker.questions)})
    writes = of_application(application, switches(worker))
    with ExitStack() as stack:
        address = stack.enter_context(serving(settings.http, reads, writes))
        LOG.info("%s answers at http://%s", application, address)
        told = settings.advertise or reachable(address)
        announcer = Announcer(client.producer, tasks_topic(application), told, clock)
        stack.callback(announcer.close)
        stack.enter_context(announcing(announcer, worker.status))
        yield address


def reachable(address: str) -> str:
    """Where others reach a server that listens at an address: at this machine's name, if it listens everywhere.

    >>> reachable("10.0.0.7:80"), reachable("0.0.0.0:80") == f"{socket.gethostname()}:80"
    ('10.0.0.7:80', True)
    """
    host, _, port = address.rpartition(":")
    return f"{socket.gethostname()}:{port}" if host in ("0.0.0.0", "[::]", "::") else address


def routes(settings: Settings, status: Callable[[], WorkerStatus], clock: Clock) -> Mapping[str, Route]:
    """What a worker answers to GET."""
    application = settings.application_id
    metrics = exposition(application, status)
    return {
        "/metrics": lambda _: Answer(metrics(), content_type=CONTENT_TYPE),
        "/health": lambda _: _probe(alive(status(), clock.monotonic_ms(), settings.health_timeout_ms)),
        "/ready": lambda _: _probe(ready(status())),
        "/status": lambda _: Answer.of(_told(application, status())),
    }


def switches(worker: Worker) -> Mapping[str, Route]:
    """What a worker answers to POST: it stops to process, and goes on."""

    def switch(paused: bool) -> Answer:
        if worker.paused != paused:
            LOG.warning("paused by a request" if paused else "going on, by a request")
        worker.paused = paused
        return Answer.of({"paused": paused})

    return {"/pause": lambda _: switch(True), "/resume": lambda _: switch(False)}


def _probe(judgement: Judgement) -> Answer:
    return Answer.of({"ok": judgement.good, "why": judgement.why}, 200 if judgement.good else 503)


def _told(application: str, status: WorkerStatus) -> dict[str, object]:
    told: dict[str, object] = {"application": application, "lag": status.lag, **msgspec.to_builtins(status)}
    return told
