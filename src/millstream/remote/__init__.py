"""A running application as others see it: who has its tasks, and what its workers tell."""

from millstream.remote.connection import RunningApp, connect
from millstream.remote.directory import Directory, Place
from millstream.remote.overview import Overview, TaskLine, WorkerLine, overview
from millstream.remote.questions import WorkerClient
from millstream.remote.reset import Reset, ResetPlan
from millstream.remote.stores import Found, RemoteStore

__all__ = [
    "Directory",
    "Found",
    "Overview",
    "Place",
    "RemoteStore",
    "Reset",
    "ResetPlan",
    "RunningApp",
    "TaskLine",
    "WorkerClient",
    "WorkerLine",
    "connect",
    "overview",
]
