"""Where the workers of an application are, as its tasks topic tells."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

from millstream.client.contract import KafkaClient
from millstream.errors import KafkaError
from millstream.model import TopicPartition
from millstream.runtime.clock import Clock
from millstream.runtime.owners import owners, standbys
from millstream.runtime.task_table import claims, tasks_topic
from millstream.runtime.topic_contents import read_whole

LIMIT_MS = 30_000


@dataclass(frozen=True, slots=True)
class Place:
    """A task, and where the worker answers that had it last; None where no worker has told that.

    `standbys` is where workers answer that keep copies of it, or did.
    """

    task: str
    address: str | None
    standbys: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them."""
        return self.standbys if self.address is None else (self.address, *self.standbys)


class Directory:
    """The tasks topic of one application, read anew when asked. A context manager."""

    def __init__(self, client: KafkaClient, application_id: str, clock: Clock) -> None:
        self._client = client
        self._topic = tasks_topic(application_id)
        self.application_id = application_id
        self._clock = clock
        self._data = client.data_consumer(f"{application_id}-directory")

    def places(self) -> list[Place]:
        """Every task with its owner; raises KafkaError for an application that there is not."""
        admin = self._client.admin()
        try:
            count = admin.partition_counts(timeout_ms=LIMIT_MS).get(self._topic)
        finally:
            admin.close()
        if count is None:
            raise KafkaError(
                f"no application {self.application_id!r} has run here: there is no topic {self._topic}", code=3
            )
        partitions = [TopicPartition(self._topic, number) for number in range(count)]
        batches = read_whole(self._data, partitions, self._clock, LIMIT_MS)
        at = owners(batches)
        copies = standbys(batches)
        return [
            Place(claim.task, at.get(source), copies.get(source, ()))
            for source, claim in sorted(claims(batches).items())
        ]

    def close(self) -> None:
        """Release sockets and threads."""
        self._data.close()

    def __enter__(self) -> Directory:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
