"""A global store that a user's processor keeps, from the first record of its topic on (rule K19)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from millstream.engine.facades import facade
from millstream.engine.failures import Failures
from millstream.engine.message import Message, RecordMetadata
from millstream.errors import MillstreamError, ProcessingError, TopologyError
from millstream.model import Batch
from millstream.plan.nodes import GlobalTable
from millstream.serde import bound
from millstream.state import Access

NOWHERE = RecordMetadata(None, -1, -1)


class GlobalContext:
    """What the processor of a global store can do: write to its store, and ask where it is."""

    def __init__(self, table: GlobalTable, rows: Any, app_id: str) -> None:
        self._table = table
        self._rows = rows
        self.application_id = app_id
        self.task_id = "-1_-1"
        self.record_metadata = NOWHERE
        self.timestamp = 0  # of the record at hand
        self.stream_time = -1

    def get_state_store(self, name: str) -> Any:
        """The global store itself."""
        if name != self._table.store.name:
            raise TopologyError(f"{self._table.site}: this processor sees the store {self._table.store.name!r} alone")
        return facade(self._table.store, self._rows, Access(lambda: self.timestamp))

    def current_stream_time_ms(self) -> int:
        """The largest timestamp so far."""
        return self.stream_time

    def forward(self, *_: object, **__: object) -> NoReturn:
        self._refuse("forward records")

    def schedule(self, *_: object, **__: object) -> NoReturn:
        self._refuse("be called later")

    def commit(self) -> NoReturn:
        self._refuse("commit")

    def _refuse(self, what: str) -> NoReturn:
        raise MillstreamError(
            f"{self._table.site}: the processor of a global store cannot {what}; it writes to the store"
        )


class GlobalStoreKeeper:
    """Runs the processor over the records of the topic, in order."""

    def __init__(self, table: GlobalTable, rows: Any, failures: Failures, app_id: str) -> None:
        assert table.supplier is not None and table.records is not None
        key, value = table.records
        self.serdes = bound(key, table.topic, is_key=True), bound(value, table.topic, is_key=False)
        self._table = table
        self._failures = failures
        self._context = GlobalContext(table, rows, app_id)
        self._processor = table.supplier()
        self._run: Callable[[Message], object] = self._processor.process
        if hasattr(self._processor, "init"):
            self._guarded("init", lambda: self._processor.init(self._context))

    def apply(self, batch: Batch) -> None:
        """Each record; what cannot be read is treated as the settings say."""
        decode_key, decode_value = (serde.decode for serde in self.serdes)
        headers = batch.headers
        context, source = self._context, batch.source
        for row, (raw_key, raw_value) in enumerate(zip(batch.keys, batch.values, strict=True)):
            try:
                key = None if raw_key is None else decode_key(raw_key)
                value = None if raw_value is None else decode_value(raw_value)
            except Exception as error:  # the loop's edge: whatever a serde raises
                failure = self._failures.undecodable(self._table.name, batch, row, error)
                if failure is not None:
                    raise failure from error
                continue
            timestamp = batch.timestamps[row]
            if timestamp < 0:
                continue
            context.timestamp, context.stream_time = timestamp, max(context.stream_time, timestamp)
            context.record_metadata = RecordMetadata(source.topic, source.partition, batch.offsets[row])
            message = Message(key, value, timestamp, headers[row] if headers is not None else ())
            self._guarded(f"{source} offset {batch.offsets[row]}", partial(self._run, message))

    def close(self) -> None:
        if hasattr(self._processor, "close"):
            self._guarded("close", self._processor.close)

    def _guarded(self, where: str, call: Callable[[], object]) -> None:
        """No handler is asked here, as in Kafka Streams by default (rule X15)."""
        try:
            call()
        except MillstreamError:
            raise
        except Exception as error:
            raise ProcessingError(
                f"global store {self._table.store.name!r}, {where}: {self._table.site} failed: "
                f"{type(error).__name__}: {error}"
            ) from error
