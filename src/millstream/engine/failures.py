"""Records that fail: what the handler says, the dead letter, and the error that stops the task (rules X14-X19)."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from operator import length_hint
from typing import NamedTuple

from millstream.engine.context import TaskContext
from millstream.engine.metrics import TaskMetrics
from millstream.engine.outbox import Outbox
from millstream.engine.rows import BadTimeError, LoadedRows
from millstream.engine.settings import EngineSettings, FailedRecord, Handler, Verdict
from millstream.errors import (
    DeserializationError,
    KafkaError,
    MillstreamError,
    ProcessingError,
    RegistryError,
    SerializationError,
)
from millstream.model import Batch, Headers
from millstream.plan.nodes import Source
from millstream.plan.site import CallSite

PREFIX = "__streams.errors."


class Failures:
    """Decides by the settings; raises where they say fail, returns where they say skip."""

    def __init__(
        self, task: str, settings: EngineSettings, outbox: Outbox, context: TaskContext, metrics: TaskMetrics
    ) -> None:
        self.task = task
        self._settings = settings
        self._outbox = outbox
        self._context = context
        self._metrics = metrics

    @property
    def ask_for_sources(self) -> bool:
        """Whether a record that fails later, at the end of its round, is to be known by its source record."""
        settings = self._settings
        return settings.dead_letters is not None or callable(settings.on_error) or callable(settings.on_send_error)

    def undecodable(self, node: str, batch: Batch, row: int, error: Exception) -> MillstreamError | None:
        """A record's bytes don't fit; the error to stop with when its turn comes, None if it is to be skipped."""
        headers = batch.headers[row] if batch.headers is not None else ()
        failed = FailedRecord(
            node,
            batch.source,
            batch.offsets[row],
            batch.timestamps[row],
            batch.keys[row],
            batch.values[row],
            error,
        )
        if isinstance(error, RegistryError):
            return self._unanswered(error, failed)
        if self._skipped(self._settings.on_decode_error, failed, headers):
            return None
        return DeserializationError(
            f"{self._place(failed)}: cannot decode the record: {error}; "
            'mend the producer, or set on_decode_error="skip" and dead_letters="a topic" to go on without it'
        )

    def untimed(self, source: Source, rows: LoadedRows, row: int, error: Exception) -> ProcessingError:
        """A record has no time that counts; no handler is asked, as in Kafka Streams (rules T1, T2)."""
        if isinstance(error, BadTimeError):
            return ProcessingError(
                f"task {self.task}, {rows.source} offset {rows.offsets[row]}: {error}; take it from the value with "
                f'time= at {source.site}, or set on_bad_time="skip" or "partition_time" to go on'
            )
        stop = ProcessingError(
            f"task {self.task}, {rows.source} offset {rows.offsets[row]}: time= of {source.site} failed: "
            f"{type(error).__name__}: {error}; give a record without a time a negative one, and it is dropped"
        )
        stop.__cause__ = error
        return stop

    def processing(self, node: str, site: CallSite, error: Exception) -> None:
        """A user's function raised for the record at hand."""
        failed = self._current(node, error)
        if isinstance(error, RegistryError):
            raise self._unanswered(error, failed) from error
        if self._skipped(self._settings.on_error, failed, self._context.headers):
            return
        raise ProcessingError(
            f"{self._place(failed)}: {site} failed: {type(error).__name__}: {error}; mend the function, or set "
            'on_error="skip" and dead_letters="a topic" to go on without such records'
        ) from error

    def unexpected(self, error: Exception) -> ProcessingError:
        """Something failed for the record at hand that no handler is asked about, such as a key without a hash."""
        place = self._place(self._current("", error))
        return ProcessingError(f"{place}: {type(error).__name__}: {error}")

    def unencodable(self, node: str, topic: str, error: Exception) -> None:
        """A record cannot be written with its sink's serdes."""
        failed = self._current(node, error)
        if isinstance(error, RegistryError):
            raise self._unanswered(error, failed) from error
        if self._skipped(self._settings.on_send_error, failed, self._context.headers):
            return
        raise SerializationError(
            f"{self._place(failed)}: cannot encode a record for topic {topic!r}: {error}; "
            "say what its key and value are with key= and value= where they are made, or annotate the function"
        ) from error

    def origins(self, node: str) -> Callable[[], tuple[object, ...]] | None:
        """What tells where the record comes from that a sink puts out now; None where nobody asks when it is refused.

        It gives the fields of an `Origin`, made one by `Origin.of` where that is needed: it costs 0.2 us for each
        record, which who lets the worker end at the first that is refused need not pay.
        """
        if self._settings.on_send_error == "fail" and self._settings.dead_letters is None:
            return None
        context, hint = self._context, length_hint

        def origin() -> tuple[object, ...]:
            rows, row = context.rows, context.row
            if row < 0 and rows is not None:  # as `LoadedRows.at_hand`
                row = len(rows.keys) - hint(rows.keys_left) - 1
            return self, node, rows, row, context.headers, context.timestamp

        return origin

    def send_verdict(self, failed: FailedRecord) -> Verdict:
        return _verdict(self._settings.on_send_error, failed)

    def pass_over(self, failed: FailedRecord, headers: Headers) -> None:
        """A record that failed is left out."""
        self._metrics.dropped += 1
        self._bury(failed, headers)

    def _unanswered(self, error: RegistryError, failed: FailedRecord) -> RegistryError:
        """The record is as good as any: no handler is asked whether to skip it."""
        return RegistryError(f"{self._place(failed)}: {error}", retriable=error.retriable)

    def _current(self, node: str, error: Exception) -> FailedRecord:
        return _failed(node, *self._context.place(), self._context.timestamp, error)

    def _skipped(self, handler: Handler, failed: FailedRecord, headers: Headers) -> bool:
        verdict = _verdict(handler, failed)
        self._bury(failed, headers)
        self._metrics.dropped += verdict == "skip"
        return verdict == "skip"

    def _bury(self, failed: FailedRecord, headers: Headers) -> None:
        """Rule X19: the source record's bytes as they came, and headers that say why and from where."""
        topic = self._settings.dead_letters
        if topic is None or failed.source is None:
            return
        kind = type(failed.error)
        told = {
            "exception": f"{kind.__module__}.{kind.__qualname__}",
            "message": str(failed.error),
            "stacktrace": "".join(traceback.format_exception(failed.error)),
            "topic": failed.source.topic,
            "partition": str(failed.source.partition),
            "offset": str(failed.offset),
        }
        added = tuple((PREFIX + name, text.encode()) for name, text in told.items())
        timestamp, own = max(failed.timestamp, 0), ()  # of a dead letter nobody is asked
        self._outbox.topic(topic).append(failed.key, failed.value, timestamp, (*headers, *added), own)
        self._metrics.dead_letters += 1

    def _place(self, failed: FailedRecord) -> str:
        if failed.source is None and self._context.punctuating:
            return f"task {self.task}, punctuation of {failed.node}"
        if failed.source is None:
            return f"task {self.task}, {failed.node}, an update that was held back"
        return f"task {self.task}, {failed.source} offset {failed.offset}"


class Origin(NamedTuple):
    """Where a record that was put out comes from: its node, and the source record with its headers.

    It is asked when the record is not taken: by the broker, or by the client that should send it (rule X16).
    """

    failures: Failures
    node: str
    rows: LoadedRows | None
    row: int
    headers: Headers
    timestamp: int

    @classmethod
    def of(cls, fields: object) -> Origin | None:
        """What stands in a batch for one row."""
        return cls._make(fields) if isinstance(fields, tuple) and fields else None

    @property
    def place(self) -> str:
        if self.rows is None:
            return f"task {self.failures.task}, {self.node}, an update that was held back or a punctuation's"
        return f"task {self.failures.task}, {self.rows.source} offset {self.rows.offsets[self.row]}"

    def verdict(self, error: KafkaError) -> Verdict:
        """What the handler says; ProcessingError where it fails."""
        try:
            return self.failures.send_verdict(self._failed(error))
        except MillstreamError:
            raise
        except Exception as raised:  # the user's function
            raise ProcessingError(f"{self.place}: on_send_error failed: {type(raised).__name__}: {raised}") from raised

    def pass_over(self, error: KafkaError) -> None:
        """Go on without it: counted, and a dead letter."""
        self.failures.pass_over(self._failed(error), self.headers)

    def _failed(self, error: KafkaError) -> FailedRecord:
        return _failed(self.node, self.rows, self.row, self.timestamp, error)


def _failed(node: str, rows: LoadedRows | None, row: int, timestamp: int, error: Exception) -> FailedRecord:
    if rows is None:
        return FailedRecord(node, None, -1, timestamp, None, None, error)
    return FailedRecord(
        node, rows.source, rows.offsets[row], rows.timestamps[row], rows.raw_keys[row], rows.raw_values[row], error
    )


def _verdict(handler: Handler, failed: FailedRecord) -> Verdict:
    verdict = handler(failed) if callable(handler) else handler
    if verdict not in ("fail", "skip"):
        raise MillstreamError(f'an error handler must return "fail" or "skip", got {verdict!r}')
    return verdict
