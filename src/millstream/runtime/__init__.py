"""The worker: joins the group, reads, runs tasks, writes, commits."""

from millstream.runtime.status import StandbyStatus, TaskStatus, WorkerStatus
from millstream.runtime.worker import Worker

__all__ = ["StandbyStatus", "TaskStatus", "Worker", "WorkerStatus"]
