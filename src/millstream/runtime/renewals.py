"""Whether a worker whose loop has failed goes on with a new one, and when (rule X18)."""

from __future__ import annotations

from typing import Literal

from millstream.errors import BrokerUnavailableError, KafkaError, MillstreamError
from millstream.runtime.recovery import LONGEST_BACKOFF_MS

FIRST_MS = 200
MOST_ALIKE = 3
USERS_FAULT = 2

OnUncaught = Literal["stop", "replace", "stop_all"]


class Renewals:
    """Failures of one worker, one after the other.

    Errors of the clients that may pass are survived whatever `on_uncaught` says, for up to `limit_ms` without a break.
    With "replace" all others are too, unless the user has to mend something, or the same one comes three times in a
    row: a record that fails each time is not tried for ever.

    >>> renewals = Renewals("replace", limit_ms=60_000)
    >>> poison = MillstreamError("task 0_1, clicks-1 offset 7: ...")
    >>> [renewals.failed(poison, began_ms=at, now_ms=at + 10) for at in (0, 1_000, 2_000)]
    [200, 400, None]
    """

    def __init__(self, on_uncaught: OnUncaught, limit_ms: int) -> None:
        self._on_uncaught = on_uncaught
        self._limit_ms = limit_ms
        self._failures = 0
        self._alike = 0
        self._last = ""
        self._since_ms = 0.0

    def failed(self, error: MillstreamError, *, began_ms: float, now_ms: float) -> int | None:
        """After how many milliseconds to go on; None: the worker ends with this error. Its loop began at `began_ms`."""
        if self._failures == 0 or now_ms - began_ms > self._limit_ms:
            self._failures, self._since_ms = 0, now_ms
        self._alike = self._alike + 1 if str(error) == self._last else 1
        self._last = str(error)
        first = self._failures == 0
        self._failures += 1
        if now_ms - self._since_ms > self._limit_ms or not self._may_pass(error, first=first):
            return None
        return int(min(FIRST_MS * 2 ** min(self._failures - 1, 10), LONGEST_BACKOFF_MS))

    def _may_pass(self, error: MillstreamError, *, first: bool) -> bool:
        if isinstance(error, BrokerUnavailableError):
            return not first  # at the first start the address may be wrong
        if error.exit_status == USERS_FAULT:
            return False
        if isinstance(error, KafkaError) and (error.retriable or error.fatal):
            return True
        return self._on_uncaught == "replace" and self._alike < MOST_ALIKE
