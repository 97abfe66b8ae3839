"""A schema registry in this process, over HTTP, as much of Confluent's as its clients use."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Schema = dict[str, Any]  # as the client sends it: schema, schemaType, references


class RefusedError(Exception):
    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error_code": code, "message": message}


NO_SUBJECT = (404, 40401, "Subject not found.")
NO_SCHEMA = (404, 40403, "Schema not found")


class Registry:
    """`requests` notes each request, and `queries` what stood behind its path.

    `broken` makes it answer everything with an internal error.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[str] = []
        self.queries: list[str] = []
        self.broken = False
        self.compatible: Callable[[Schema, Schema], bool] = _backward
        self._schemas: list[Schema] = []  # id - 1
        self._subjects: dict[str, list[int]] = {}  # ids, by version - 1
        self._lock = threading.Lock()

    @property
    def subjects(self) -> list[str]:
        return sorted(self._subjects)

    def schema_of(self, subject: str) -> Any:
        """The latest schema of a subject, as data."""
        return json.loads(self._schemas[self._subjects[subject][-1] - 1]["schema"])

    def answer(self, method: str, target: str, body: Any) -> Any:
        parts = urlsplit(target)
        with self._lock:
            self.requests.append(f"{method} {parts.path}")
            self.queries.append(parts.query)
            if self.broken:
                raise RefusedError(500, 50001, "Error in the backend data store")
            for (verb, pattern), function in ROUTES.items():
                match = re.fullmatch(pattern, parts.path)
                if match and verb == method:
                    return function(self, *map(unquote, match.groups()), **({"body": body} if body else {}))
        raise RefusedError(404, 404, f"HTTP 404 Not Found: {method} {target}")

    def register(self, subject: str, *, body: Schema) -> Any:
        known = self._id_of(body)
        versions = self._subjects.setdefault(subject, [])
        if known is None or known not in versions:
            if versions and not self.compatible(self._schemas[versions[-1] - 1], body):
                raise RefusedError(409, 409, f"Schema being registered is incompatible with one of {subject}")
            if known is None:
                self._schemas.append(body)
                known = len(self._schemas)
            versions.append(known)
        return {"id": known}

    def look_up(self, subject: str, *, body: Schema) -> Any:
        if subject not in self._subjects:
            raise RefusedError(*NO_SUBJECT)
        known = self._id_of(body)
        if known is None or known not in self._subjects[subject]:
            raise RefusedError(*NO_SCHEMA)
        return self._version(subject, self._subjects[subject].index(known))

    def schema(self, number: str) -> Any:
        if not 1 <= int(number) <= len(self._schemas):
            raise RefusedError(*NO_SCHEMA)
        return self._schemas[int(number) - 1]

    def version(self, subject: str, version: str) -> Any:
        if subject not in self._subjects:
            raise RefusedError(*NO_SUBJECT)
        return self._version(subject, -1 if version == "latest" else int(version) - 1)

    def _version(self, subject: str, at: int) -> Any:
        ids = self._subjects[subject]
        place = at % len(ids)
        return {"subject": subject, "version": place + 1, "id": ids[place], **self._schemas[ids[place] - 1]}

    def _id_of(self, schema: Schema) -> int | None:
        wanted = _identity(schema)
        return next((n for n, each in enumerate(self._schemas, 1) if _identity(each) == wanted), None)


ROUTES: dict[tuple[str, str], Callable[..., Any]] = {
    ("POST", r"/subjects/([^/]+)/versions"): Registry.register,
    ("POST", r"/subjects/([^/]+)"): Registry.look_up,
    ("GET", r"/schemas/ids/(\d+)"): Registry.schema,
    ("GET", r"/subjects/([^/]+)/versions/(latest|\d+)"): Registry.version,
}


def _identity(schema: Schema) -> tuple[Any, ...]:
    """Spaces in a schema don't count."""
    kind = schema.get("schemaType") or "AVRO"
    text = schema["schema"] if kind == "PROTOBUF" else json.dumps(json.loads(schema["schema"]))
    return text, kind, json.dumps(schema.get("references") or [])


def _backward(old: Schema, new: Schema) -> bool:
    """Avro's records: a field that the old schema lacks has a default."""
    if (new.get("schemaType") or "AVRO") != "AVRO":
        return True
    before, after = json.loads(old["schema"]), json.loads(new["schema"])
    if not isinstance(before, dict) or not isinstance(after, dict):
        return bool(before == after)
    known = {field["name"] for field in before.get("fields", ())}
    return all(field["name"] in known or "default" in field for field in after.get("fields", ()))


@contextmanager
def serving() -> Iterator[Registry]:
    """A registry on a free loopback port."""
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body: Any) -> None:
            try:
                status, answer = 200, registry.answer(self.command, self.path, body)
            except RefusedError as refusal:
                status, answer = refusal.status, refusal.body
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    registry.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
