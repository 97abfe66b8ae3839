"""The broker's core: everything it holds, without sockets or clocks. Handlers answer requests from it."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from millstream.broker.durability import Durability, Fsync, same_boot
from millstream.broker.dynamic import ALL_BROKERS, BROKER, TOPIC, DynamicConfigs, topic_defaults
from millstream.broker.groups.groups import Groups
from millstream.broker.journal import Journal
from millstream.broker.partitions import Opening, Partitions
from millstream.broker.producer_ids import ProducerIds
from millstream.broker.settings import DEFAULTS, BrokerSettings
from millstream.broker.timers import Timers
from millstream.broker.topics.catalogue import Catalogue, Room, Topic
from millstream.broker.transactions.coordinator import Transactions

BY_SYSTEM = Fsync()
_CLUSTER_ID = "cluster-id"
_UNBOUNDED = 1 << 62

Reply = Callable[[Any], None]
"""Takes the answer, now or later; None if the client expects none."""


@dataclass(frozen=True, slots=True)
class Call:
    """What surrounds a request: who asks, under which address the broker is known to them, and when.

    `wall_ms` is the time of day (timestamps), `now_ms` a monotonic clock's (deadlines). What is given to `on_gone`
    happens if the client goes before it is answered. `answer_room` tells how many bytes of records an answer may have,
    so that clients that are slow to take theirs don't fill the memory.
    """

    version: int
    client_id: str
    client_host: str
    host: str
    port: int
    wall_ms: int
    now_ms: float
    on_gone: Callable[[Callable[[], None]], None]
    answer_room: Callable[[], int] = lambda: _UNBOUNDED


class Broker:
    """Topics, partitions, groups, producer ids and transactions. With `data` None everything is in memory.

    `new_id` makes random ids, `wall_ms` tells the time of day. Raises OSError if the folder cannot be read or written.
    """

    def __init__(
        self,
        data: Path | None,
        new_id: Callable[[], UUID],
        wall_ms: Callable[[], int],
        now_ms: float = 0.0,
        *,
        fsync: Fsync = BY_SYSTEM,
        settings: BrokerSettings = DEFAULTS,
    ) -> None:
        if data is not None:
            data.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self.timers = Timers()
        self._new_id = new_id
        self.durability = Durability(fsync)
        written = self.durability.written
        self.metadata = Journal(data / "metadata.journal" if data else None, written)
        self._groups_journal = Journal(data / "groups.journal" if data else None, written)
        if _CLUSTER_ID not in self.metadata:
            self.metadata.put({_CLUSTER_ID: urlsafe_b64encode(new_id().bytes).decode().rstrip("=")})
        self.cluster_id: str = self.metadata.get(_CLUSTER_ID)
        self.dynamic = DynamicConfigs(self.metadata)
        self.catalogue = Catalogue(self.metadata, new_id, Room(settings.topics, settings.topic_partitions))
        self.partitions = Partitions(self.catalogue, data / "topics" if data else None, self._log_opening(data))
        self.producer_ids = ProducerIds(self.metadata)
        self.groups = Groups(self._groups_journal, self.timers, self.new_id, self.catalogue, settings, self.dynamic)
        self.groups.restore(now_ms)
        self._transactions_journal = Journal(data / "transactions.journal" if data else None, written)
        self.transactions = Transactions(
            self._transactions_journal,
            self.partitions,
            self.groups,
            self.producer_ids,
            self.timers,
            wall_ms,
            longest_ms=settings.transaction_max_ms,
        )
        self.transactions.restore(now_ms)

    def _log_opening(self, data: Path | None) -> Opening:
        trusted = data is not None and same_boot(data)
        return Opening(self.durability.written, trusted=trusted, topic_defaults=self._topic_defaults())

    def _topic_defaults(self) -> Mapping[str, str]:
        """What topics have that say nothing themselves; what this broker was given last counts most."""
        everywhere, here = (self.dynamic.get(BROKER, name) for name in (ALL_BROKERS, str(self.settings.node_id)))
        return {**self.settings.topic_defaults, **topic_defaults(everywhere), **topic_defaults(here)}

    def configure(self, kind: int, name: str, configs: Mapping[str, str]) -> None:
        """Replace the configuration of a topic, which must exist, of brokers or a group. Raises OSError."""
        if kind == TOPIC:
            self.partitions.configure(self.catalogue.configure(name, configs))
            return
        self.dynamic.put(kind, name, configs)
        if kind == BROKER:
            self.partitions.default(self._topic_defaults())

    def new_id(self) -> str:
        """A random id, for members that come without one."""
        return str(self._new_id())

    def create_topic(self, name: str, partitions: int, configs: Mapping[str, str]) -> Topic:
        """A topic with its logs. Raises TopicError, and OSError if the disk takes no more, with no topic made."""
        topic = self.catalogue.create(name, partitions, configs)
        try:
            self.partitions.add(topic)
        except OSError:
            self.partitions.remove(topic)
            self.catalogue.delete(name)
            raise
        return topic

    def has_room_for_group(self, group_id: str) -> bool:
        """Whether a group may be made under this name, or is there already."""
        return self.groups.exists(group_id) or len(self.groups) < self.settings.groups

    def close(self) -> None:
        self.partitions.close()
        self.metadata.close()
        self._groups_journal.close()
        self._transactions_journal.close()
