"""From the plan to compiled tasks."""

from millstream.engine.global_tables import GlobalTables
from millstream.engine.message import Message, RecordMetadata
from millstream.engine.metrics import TaskMetrics
from millstream.engine.outbox import Outbox
from millstream.engine.processors import Processor, ProcessorContext
from millstream.engine.settings import EngineSettings, FailedRecord, Handler
from millstream.engine.task import Task, Wiring, compile_task

__all__ = [
    "EngineSettings",
    "FailedRecord",
    "GlobalTables",
    "Handler",
    "Message",
    "Outbox",
    "Processor",
    "ProcessorContext",
    "RecordMetadata",
    "Task",
    "TaskMetrics",
    "Wiring",
    "compile_task",
]
