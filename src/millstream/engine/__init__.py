"""From the plan to compiled tasks."""

from millstream.engine.event_loop import EventLoop
from millstream.engine.failures import Origin
from millstream.engine.global_tables import GlobalTables
from millstream.engine.message import Message, RecordContext, RecordMetadata
from millstream.engine.metrics import TaskMetrics
from millstream.engine.outbox import Outbox
from millstream.engine.processor_context import ProcessorContext
from millstream.engine.processors import Processor
from millstream.engine.settings import EngineSettings, FailedRecord, Handler
from millstream.engine.stores import outgrow_changelogs, stores_on_disk
from millstream.engine.task import Task, Wiring, compile_task

__all__ = [
    "EngineSettings",
    "EventLoop",
    "FailedRecord",
    "GlobalTables",
    "Handler",
    "Message",
    "Origin",
    "Outbox",
    "Processor",
    "ProcessorContext",
    "RecordContext",
    "RecordMetadata",
    "Task",
    "TaskMetrics",
    "Wiring",
    "compile_task",
    "outgrow_changelogs",
    "stores_on_disk",
]
