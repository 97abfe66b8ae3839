"""A running application as others see it: who has its tasks, and what its workers tell."""

from millstream.remote.directory import Directory, Place
from millstream.remote.overview import Overview, TaskLine, WorkerLine, overview
from millstream.remote.questions import WorkerClient

__all__ = ["Directory", "Overview", "Place", "TaskLine", "WorkerClient", "WorkerLine", "overview"]
