"""Topics that requests name by their ids: newer versions of Produce, Fetch, OffsetCommit and OffsetFetch (KIP-516)."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from millstream.broker.broker import Broker, Call
from millstream.broker.protocol.apis import FETCH, TOPIC_IDS_FROM


class Named(NamedTuple):
    """A topic as a request names it. `name` is None if no topic has the id; `topic_id` if the version tells none."""

    name: str | None
    topic_id: UUID | None


def named_topic(broker: Broker, call: Call, api_key: int, asked: Any) -> Named:
    """The topic that an element of a request's list of topics is about; by name it need not exist."""
    if call.version < TOPIC_IDS_FROM[api_key]:
        return Named(asked.topic if api_key == FETCH else asked.name, None)
    known = broker.catalogue.with_id(asked.topic_id)
    return Named(None if known is None else known.name, asked.topic_id)
