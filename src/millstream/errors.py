"""Every error that Millstream raises: whose fault it is, and whether trying again can help.

The message of each says what is wrong, where, and what to do. `exit_status` is what the command line ends with:
2 for what the user can mend (a wrong program, option, file or address), 1 for what went wrong while running.
"""

from __future__ import annotations


class MillstreamError(Exception):
    """Root of the tree. Catch it to catch everything that Millstream itself raises.

    `exit_status` is what the command line ends with, `retriable` whether trying again may help.

    >>> import millstream as ms
    >>> try:
    ...     ms.App("words", commit_intervall="5s")
    ... except ms.MillstreamError as error:
    ...     print(type(error).__name__, error.exit_status, error)
    ConfigError 2 there is no setting 'commit_intervall'; did you mean 'commit_interval'?
    """

    exit_status = 1
    retriable = False


# --- the user's program or settings


class TopologyError(MillstreamError):
    """A program that cannot run as written; raised while it is built, with the operator and its line.

    >>> import millstream as ms
    >>> app = ms.App("site")
    >>> app.stream("clicks", value=str).group_by_key().windowed_by(ms.tumbling("0s"))
    Traceback (most recent call last):
    millstream.errors.TopologyError: ...: the window's size must be more than 0, got 0 ms
    """

    exit_status = 2


class ConfigError(MillstreamError):
    """A setting or an option that is unknown or has no sensible meaning."""

    exit_status = 2


class AddressInUseError(ConfigError):
    """A port to listen at is in use, perhaps for a moment: by a worker that still stops, or by any connection."""

    retriable = True


class ProcessingError(MillstreamError):
    """A user function failed; names the node and the source record. The cause is the original exception."""


# --- bytes


class SerdeError(MillstreamError):
    """Bytes and objects do not fit each other."""


class SerializationError(SerdeError):
    """An object cannot be written with the serde in use."""


class DeserializationError(SerdeError):
    """Bytes cannot be read with the serde in use."""


class RegistryError(SerdeError):
    """The schema registry does not answer, or refuses a schema. No record is skipped because of it."""

    def __init__(self, message: str, *, retriable: bool = False) -> None:
        super().__init__(message)
        self.retriable = retriable


# --- state


class StateError(MillstreamError):
    """A store, its changelog or its folder is not what the program needs."""


class QueryError(MillstreamError):
    """A question to a store of a running application has no answer. `reason` says why, for programs.

    `task` is the one to ask, where the question came to another worker than its.
    """

    def __init__(self, message: str, reason: str, task: str | None = None) -> None:
        super().__init__(message)
        self.task = task
        self.reason = reason
        self.retriable = reason in ("migrated", "not_started", "not_up_to_bound")


# --- Kafka


class KafkaError(MillstreamError):
    """The broker or the client reported an error. `code` is Kafka's numeric code, negative for the client's own.

    `fatal`: this client is of no use any more. `abortable`: the transaction at hand is to be aborted and done again.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int = -1,
        retriable: bool = False,
        fatal: bool = False,
        abortable: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retriable = retriable
        self.fatal = fatal
        self.abortable = abortable


class BrokerUnavailableError(KafkaError):
    """No broker answers at the address given, or the embedded one did not start."""

    exit_status = 2


class BrokerStartError(MillstreamError):
    """The embedded broker cannot run here: port in use, data folder unreadable or locked."""

    exit_status = 2


class PlanMismatchError(MillstreamError):
    """Another version of this program runs under the same application id, with another plan."""

    exit_status = 2
