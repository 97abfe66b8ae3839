"""A worker in a process of its own, beside those of a test, that ends when it is killed.

`python -m tests.runtime.neighbour BOOTSTRAP NAME SOURCE SINK SETTINGS`, the application's settings as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from millstream.app import App
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.runtime import Worker


def program(name: str, source: str, sink: str, **settings: object) -> App:
    """Per key, the ids of its records in their order."""
    app = App(name, emit="every", **settings)
    (
        app.stream(source)
        .group_by_key()
        .aggregate(initializer=list, aggregator=lambda _key, value, ids: [*ids, value["id"]], store="ids")
        .to_stream()
        .to(sink)
    )
    return app


@contextmanager
def neighbour(bootstrap: str, name: str, source: str, sink: str, settings: object) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.runtime.neighbour", bootstrap, name, source, sink, json.dumps(settings)]
    with subprocess.Popen(command) as process:
        try:
            yield process
        finally:
            process.kill()


def main() -> None:
    bootstrap, name, source, sink, settings = sys.argv[1:]
    app = program(name, source, sink, **json.loads(settings))
    Worker(app.topology(), app.settings, LibrdkafkaClient(bootstrap)).run(threading.Event())


if __name__ == "__main__":
    main()
