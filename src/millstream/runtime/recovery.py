"""What to do about an error of the clients under exactly-once, from the error alone."""

from __future__ import annotations

from enum import Enum

from millstream.errors import KafkaError
from millstream.runtime.patience import Patience

FIRST_BACKOFF_MS = 100
LONGEST_BACKOFF_MS = 10_000

# What trying again doesn't mend, although librdkafka would have the transaction aborted and done again.
REFUSED = frozenset(
    {
        10,  # MESSAGE_TOO_LARGE
        17,  # INVALID_TOPIC_EXCEPTION
        18,  # RECORD_LIST_TOO_LARGE
        29,  # TOPIC_AUTHORIZATION_FAILED
        30,  # GROUP_AUTHORIZATION_FAILED
        31,  # CLUSTER_AUTHORIZATION_FAILED
        35,  # UNSUPPORTED_VERSION
        44,  # POLICY_VIOLATION
        50,  # INVALID_TRANSACTION_TIMEOUT
        53,  # TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        58,  # SASL_AUTHENTICATION_FAILED
        82,  # FENCED_INSTANCE_ID: another process has this group_instance_id
        87,  # INVALID_RECORD
    }
)


class Remedy(Enum):
    """In each of them but the last the tasks go on from what was committed."""

    ABORT = "the transaction is aborted"
    REPLACE = "the producer is replaced"
    STOP = "the worker stops"


def remedy(error: KafkaError) -> Remedy:
    """What an error calls for (rules X5, X16).

    >>> remedy(KafkaError("another generation", code=22, abortable=True))
    <Remedy.ABORT: 'the transaction is aborted'>
    >>> remedy(KafkaError("fenced", code=90, fatal=True)), remedy(KafkaError("not allowed", code=53, fatal=True))
    (<Remedy.REPLACE: 'the producer is replaced'>, <Remedy.STOP: 'the worker stops'>)
    """
    if error.code in REFUSED:
        return Remedy.STOP
    if error.fatal:
        return Remedy.REPLACE
    return Remedy.ABORT if error.abortable or error.retriable else Remedy.STOP


def backoff_ms(failures: int) -> int:
    """How long to wait after so many failures without a commit between them; the first is tried again at once.

    >>> [backoff_ms(failures) for failures in (1, 2, 3, 20)]
    [0, 100, 200, 10000]
    """
    if failures <= 1:
        return 0
    return int(min(FIRST_BACKOFF_MS * 2 ** min(failures - 2, 10), LONGEST_BACKOFF_MS))


class Mending:
    """Failures without a commit between them: how long to wait before the next attempt, and when to give up.

    >>> mending = Mending(limit_ms=60_000)
    >>> [mending.failed(at, commits=5) for at in (0, 100, 61_000)], mending.failed(61_500, commits=6)
    ([0, 100, None], 0)
    """

    def __init__(self, limit_ms: int) -> None:
        self._fresh = Patience(limit_ms)
        self._patience = self._fresh
        self._failures = 0
        self._commits = -1

    def failed(self, now_ms: int, commits: int) -> int | None:
        """After how many milliseconds to go on; None: not at all. `commits` were made so far."""
        if commits != self._commits:
            self._patience, self._failures, self._commits = self._fresh, 0, commits
        self._patience = self._patience.after_failure(now_ms)
        self._failures += 1
        return None if self._patience.exhausted() else backoff_ms(self._failures)
