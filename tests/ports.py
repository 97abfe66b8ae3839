"""Ports for the servers of tests."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack


def free_port(count: int = 1) -> int:
    """The first of `count` ports in a row that nobody has, below the range that outgoing connections take theirs from.

    In that range a port may be taken before it is used: a client that reconnects while its server is down may be given
    the server's own. And a connection keeps its port for a minute after its end.
    """
    for _ in range(1000):
        first = random.randrange(20_000, 32_000)
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise RuntimeError("no free ports between 20000 and 32000")
