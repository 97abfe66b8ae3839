"""A worker's HTTP service: its routes, for as long as it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from millstream.config import Settings
from millstream.runtime import WorkerStatus
from millstream.runtime.clock import Clock
from millstream.service.health import Judgement, alive, ready
from millstream.service.http import Answer, Route, serving
from millstream.service.metrics import CONTENT_TYPE, exposition

LOG = logging.getLogger("millstream.service")


@contextmanager
def worker_service(settings: Settings, status: Callable[[], WorkerStatus], clock: Clock) -> Iterator[str | None]:
    """Serve a worker's routes where `http` says; gives the address, None without that setting."""
    if settings.http is None:
        yield None
        return
    with serving(settings.http, routes(settings, status, clock)) as address:
        LOG.info("%s answers at http://%s", settings.application_id, address)
        yield address


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


def _probe(judgement: Judgement) -> Answer:
    return Answer.of({"ok": judgement.good, "why": judgement.why}, 200 if judgement.good else 503)


def _told(application: str, status: WorkerStatus) -> dict[str, object]:
    told: dict[str, object] = {"application": application, "lag": status.lag, **msgspec.to_builtins(status)}
    return told
