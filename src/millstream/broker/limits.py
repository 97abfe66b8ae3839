"""What one client, and all of them together, may take of the broker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """`idle_ms`: a connection that has sent nothing whole for so long, or takes no answers, is closed; Kafka's
    `connections.max.idle.ms`. `login_ms` is the same until it has logged in. `queued_...` are of one connection.
    """

    connections: int = 2_000
    request_bytes: int = 100 * 1024 * 1024
    queued_requests: int = 100
    queued_bytes: int = 16 * 1024 * 1024
    idle_ms: int = 600_000
    login_ms: int = 10_000
    topics: int = 10_000
    partitions: int = 50_000
    groups: int = 10_000
    group_members: int = 10_000

    @classmethod
    def of(cls, written: Iterable[str]) -> Limits:
        """The defaults, with others given as NAME=NUMBER. Raises ValueError.

        >>> Limits.of(["connections=10", "idle-ms=5000"]).idle_ms
        5000
        >>> Limits.of(["conections=10"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: a limit is NAME=NUMBER, with a number above 0 and one of these names: connections, ...
        """
        names = {each.name.replace("_", "-"): each.name for each in fields(cls)}
        given: dict[str, int] = {}
        for each in written:
            name, _, number = each.partition("=")
            if name not in names or not number.isdigit() or int(number) < 1:
                raise ValueError(
                    f"a limit is NAME=NUMBER, with a number above 0 and one of these names: {', '.join(names)}"
                )
            given[names[name]] = int(number)
        return replace(cls(), **given)


DEFAULTS = Limits()
