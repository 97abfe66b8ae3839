"""Asynchronous processors ask a service over the network."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import millstream as ms
from tests.driving import every
from tests.engine.async_programs import only_task


class Meeting(BaseHTTPRequestHandler):
    """Answers when so many requests are there at once."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one write
    barrier: threading.Barrier

    def do_GET(self) -> None:
        self.barrier.wait(timeout=30)
        answer = self.path.strip("/").upper().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None: ...


class Server(ThreadingHTTPServer):
    request_queue_size = 20


@contextmanager
def service(together: int) -> Iterator[int]:
    handler = type("Handler", (Meeting,), {"barrier": threading.Barrier(together)})
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_a_service_is_asked_over_connections_that_stay_open() -> None:
    opened: list[int] = []

    class Client:
        """As few connections as are needed, kept for the next request."""

        def init(self, context: ms.ProcessorContext) -> None:
            self.context = context
            self.free: list[Any] = []

        async def process(self, record: ms.Message) -> None:
            self.context.forward(record.with_value(await self.ask(record.value)))

        async def ask(self, what: str) -> str:
            if not self.free:
                opened.append(1)
                self.free.append(await asyncio.open_connection("127.0.0.1", port))
            reader, writer = self.free.pop()
            writer.write(f"GET /{what} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            answer = await reader.readexactly(length)
            self.free.append((reader, writer))
            return str(answer.decode())

        async def close(self) -> None:
            for _, writer in self.free:
                writer.close()
                await writer.wait_closed()

    app = every()
    calls = ms.async_calls(concurrency=8, timeout="20s")
    app.stream("in", value=str).process_values(Client, calls=calls, value=str).to("out")
    with service(4) as port:
        task, round_of = only_task(app)
        assert round_of(*"abcdefgh") == list("ABCDEFGH")
        assert round_of(*"ijkl") == list("IJKL")
        assert len(opened) <= 8, "the second round's requests go over the first one's connections"
        task.close()
