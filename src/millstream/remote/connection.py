"""`ms.connect`: a running application, from anywhere that reaches its Kafka and its workers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol

from millstream.broker.launch import EmbeddedBroker
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.config import Settings
from millstream.duration import Duration, parse_duration_ms
from millstream.errors import QueryError
from millstream.remote.directory import Directory
from millstream.remote.questions import WorkerClient
from millstream.remote.stores import RemoteStore, Routing
from millstream.runtime.clock import SystemClock


class Configured(Protocol):
    """An `App`, as far as it says where it runs."""

    @property
    def settings(self) -> Settings: ...


class RunningApp:
    """An application that runs somewhere. A context manager; not for several threads at once."""

    def __init__(self, directory: Directory, closing: ExitStack, wait_s: float) -> None:
        self._closing = closing
        self._routing = Routing(directory, WorkerClient(), wait_s)

    def stores(self) -> dict[str, str]:
        """The stores that can be asked, with their kinds: those that the program names."""
        return {name: each["kind"] for name, each in self._routing.ask("/stores", {}).items()}

    def store(self, name: str) -> RemoteStore:
        """A store by its name; QueryError if there is none."""
        known = self._routing.ask("/stores", {})
        if name not in known:
            names = ", ".join(known) or 'none: name it in the program, with store="..."'
            raise QueryError(f"there is no store {name!r}; there are: {names}", "unknown_store")
        return RemoteStore(name, known[name]["kind"], known[name]["subtopology"], self._routing)

    def tasks(self) -> dict[str, str | None]:
        """Every task with the address of the worker that had it last; None where none has told one (rule Q3)."""
        return self._routing.places()

    def close(self) -> None:
        """Release sockets and threads."""
        self._closing.close()

    def __enter__(self) -> RunningApp:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def connect(
    application: Configured | str,
    *,
    bootstrap_servers: str | None = None,
    kafka: Mapping[str, object] | None = None,
    wait: Duration = "10s",
) -> RunningApp:
    """Connect to a running application, by its id or its `App`, whose workers have the setting `http`.

    Where its workers are stands in its tasks topic, so it takes the brokers (`kafka` has librdkafka's properties).
    Those of an `App` are known; without any it is this folder's embedded broker. `wait` bounds how long a question
    is asked again while tasks move or start.

    >>> import millstream as ms
    >>> def top(name: str) -> int:
    ...     with ms.connect("qos", bootstrap_servers="kafka:9092") as qos:
    ...         return qos.store("counts")[name]
    """
    settings = Settings.of(application) if isinstance(application, str) else application.settings
    with ExitStack() as stack:
        servers = bootstrap_servers or settings.bootstrap_servers
        if servers is None:
            servers = stack.enter_context(EmbeddedBroker.shared(settings.state_dir)).bootstrap
        client = LibrdkafkaClient(servers, common=settings.kafka if kafka is None else kafka)
        directory = stack.enter_context(Directory(client, settings.application_id, SystemClock()))
        return RunningApp(directory, stack.pop_all(), parse_duration_ms(wait) / 1000)
