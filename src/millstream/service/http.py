"""A small HTTP server in a thread of its own: a few questions a second, never in the way of the worker's loop.

The standard library's is enough for that, and nothing has to be installed.
"""

from __future__ import annotations

import errno
import logging
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import msgspec

from millstream.errors import AddressInUseError, ConfigError

LOG = logging.getLogger("millstream.service")

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers with."""

    body: bytes
    status: int = 200
    content_type: str = JSON

    @staticmethod
    def of(found: Any, status: int = 200) -> Answer:
        """Anything that msgspec can write, as JSON."""
        return Answer(msgspec.json.encode(found) + b"\n", status)


Parameters: TypeAlias = Mapping[str, str]
Route: TypeAlias = Callable[[Parameters], Answer]


def of_application(application: str, routes: Mapping[str, Route]) -> dict[str, Route]:
    """Routes that refuse who names another application: addresses are handed on, above all in containers."""

    def checked(route: Route) -> Route:
        def answer(given: Parameters) -> Answer:
            named = given.get("application", application)
            if named == application:
                return route(given)
            error = f"a worker of {application!r} answers here, none of {named!r}"
            return Answer.of({"error": error, "reason": "migrated"}, 421)

        return answer

    return {path: checked(route) for path, route in routes.items()}


@contextmanager
def serving(address: str, reads: Mapping[str, Route], writes: Mapping[str, Route] | None = None) -> Iterator[str]:
    """Serve routes by path, those of GET and those of POST; gives the address that it listens at, as HOST:PORT."""
    host, _, port = address.rpartition(":")
    handler = type("Handler", (_Handler,), {"routes": {"GET": reads, "POST": writes or {}}})
    try:
        server = _Server((host.strip("[]"), int(port)), handler)
    except OSError as error:
        told = f"http={address!r}: cannot listen there: {error.strerror or error}"
        if error.errno == errno.EADDRINUSE:
            raise AddressInUseError(f"{told}; end what has the port, or set another") from error
        raise ConfigError(told) from error
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="millstream-http", daemon=True)
    thread.start()
    try:
        yield f"{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """As any TCP server does: HTTP's would first ask DNS for the name of this machine, and wait for it."""
        socketserver.TCPServer.server_bind(self)


class _Handler(BaseHTTPRequestHandler):
    routes: Mapping[str, Mapping[str, Route]] = {}
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer goes out whole, not its head first
    timeout = 30  # of a connection on which nothing comes

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer()

    def _answer(self) -> None:
        asked = urlsplit(self.path)
        route = self.routes[self.command].get(asked.path)
        if route is None:
            known = " ".join(sorted(self.routes[self.command]))
            answer = Answer.of({"error": f"there is nothing at {asked.path}; there is: {known}"}, 404)
        else:
            try:
                answer = route(dict(parse_qsl(asked.query, keep_blank_values=True)))
            except Exception as error:  # a request's edge: it must not end the server
                LOG.exception("%s %s failed", self.command, asked.path)
                answer = Answer.of({"error": f"{type(error).__name__}: {error}"}, 500)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the standard library's name)
        LOG.debug(format, *args)
