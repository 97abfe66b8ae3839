"""A member of a consumer group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from millstream.broker.protocol.answers.groups import Joined, Synced
from millstream.broker.timers import Timer

Protocols = tuple[tuple[str, bytes], ...]
"""Names of assignors that the member knows, in its order of preference, each with the member's metadata."""


@dataclass(slots=True)
class Member:
    """What the group knows of one member; `join_reply` and `sync_reply` are set while its request waits."""

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: Protocols
    assignment: bytes = b""
    join_reply: Callable[[Joined], None] | None = None
    sync_reply: Callable[[Synced], None] | None = None
    deadline_ms: float = 0.0
    timer: Timer | None = field(default=None, repr=False)

    def metadata_for(self, protocol: str | None) -> bytes:
        return next((metadata for name, metadata in self.protocols if name == protocol), b"")

    @property
    def waiting(self) -> bool:
        return self.join_reply is not None or self.sync_reply is not None

    def answer_join(self, answer: Joined) -> None:
        reply, self.join_reply = self.join_reply, None
        if reply is not None:
            reply(answer)

    def answer_sync(self, answer: Synced) -> None:
        reply, self.sync_reply = self.sync_reply, None
        if reply is not None:
            reply(answer)
