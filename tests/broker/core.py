"""The core without sockets: requests as bytes in any version, answers decoded by kio, a manual clock."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kio.index import load_request_schema, load_response_schema
from kio.serial import entity_reader, entity_writer

from millstream.broker.broker import Broker, Call
from millstream.broker.dispatch import HANDLERS
from millstream.broker.protocol.codec import read_request, write_answer


class Waiting(list[Any]):
    """Answers of one request: empty as long as it waits."""

    @property
    def answer(self) -> Any:
        assert len(self) == 1, f"{len(self)} answers"
        return self[0]


class Core:
    def __init__(self, data: Path | None = None) -> None:
        ids = iter(range(1, 1_000_000))
        self.now_ms = 1_000_000.0
        self.gone: list[Callable[[], None]] = []
        """What is to happen if clients go, of each request that waited."""
        self.answer_room = 1 << 62
        self.broker = Broker(data, lambda: uuid.UUID(int=next(ids)), lambda: int(self.now_ms), self.now_ms)

    def send(self, key: int, version: int, message: Any, client_id: str = "client") -> Waiting:
        """Answers come as kio's entities of that version."""
        request = read_request(frame(key, version, message, client_id))
        waiting = Waiting()

        def reply(answer: Any) -> None:
            if answer is None:
                waiting.append(None)
                return
            waiting.append(decode(key, version, b"".join(write_answer(request, answer))))

        who = (version, client_id, "10.0.0.9", "127.0.0.1", 9092)
        call = Call(*who, int(self.now_ms), self.now_ms, self.gone.append, lambda: self.answer_room)
        HANDLERS[key](self.broker, call, request.message, reply)
        return waiting

    def ask(self, key: int, version: int, message: Any) -> Any:
        return self.send(key, version, message).answer

    def advance(self, duration_ms: float) -> None:
        """Let time pass, deadline by deadline."""
        end = self.now_ms + duration_ms
        while (deadline := self.broker.timers.next_deadline()) is not None and deadline <= end:
            self.now_ms = max(self.now_ms, deadline)
            self.broker.timers.fire(self.now_ms)
        self.now_ms = end


def request_type(key: int, version: int) -> Any:
    return load_request_schema(key, version)


def nested(key: int, version: int, name: str) -> Any:
    """An entity inside a request, by its class name."""
    module = __import__(load_request_schema(key, version).__module__, fromlist=[name])
    return getattr(module, name)


def frame(key: int, version: int, message: Any, client_id: str = "client") -> bytes:
    schema = load_request_schema(key, version)
    header: Any = schema.__header_schema__
    out = io.BytesIO()
    fields = {"request_api_key": key, "request_api_version": version, "correlation_id": 77, "client_id": client_id}
    entity_writer(header)(out, header(**fields))
    entity_writer(schema)(out, message)
    return out.getvalue()


def decode(key: int, version: int, raw: bytes) -> Any:
    schema = load_response_schema(key, version)
    header, size = entity_reader(schema.__header_schema__)(raw, 4)
    assert int.from_bytes(raw[:4], "big") == len(raw) - 4
    assert header.correlation_id == 77
    answer, body_size = entity_reader(schema)(raw, 4 + size)
    assert 4 + size + body_size == len(raw), "the answer has more bytes than its schema"
    return answer
