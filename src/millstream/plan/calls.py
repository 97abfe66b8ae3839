"""How the calls of an asynchronous operator are made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Calls:
    """At most `concurrency` calls of a task are under way or wait for an earlier one. An attempt that takes longer than
    `timeout_ms` has failed (None: no limit); `retries` more are made, `backoff_ms` later, then twice that, and so on.
    """

    concurrency: int = 100
    timeout_ms: int | None = 30_000
    retries: int = 0
    backoff_ms: int = 100
