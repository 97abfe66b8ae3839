"""Stores of a running application, read over HTTP wherever they are (rules Q1-Q6)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from millstream.errors import QueryError
from millstream.model import TopicPartition
from millstream.remote.directory import Directory, Place
from millstream.remote.questions import WorkerClient

AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Found:
    """What a question about one key found, and how fresh it is.

    `position` is the highest offset of each input that the store reflects; `lag` counts the records that are written
    and not in it yet, None while that is not known. `rows` are as JSON has them.
    """

    rows: Sequence[Mapping[str, Any]]
    position: Mapping[TopicPartition, int]
    lag: int | None
    task: str | None

    @property
    def value(self) -> Any:
        """The value of the first row; None where there is none."""
        return self.rows[0]["value"] if self.rows else None

    @property
    def timestamp(self) -> int | None:
        """The timestamp kept with it, in ms."""
        return self.rows[0]["timestamp"] if self.rows else None


class Routing:
    """Finds the worker that answers; asks again while tasks move or start, for at most `wait_s`."""

    def __init__(self, directory: Directory, workers: WorkerClient, wait_s: float) -> None:
        self._directory = directory
        self._workers = workers
        self._wait_s = wait_s
        self._places: list[Place] = []

    def ask(self, path: str, parameters: Mapping[str, str]) -> Any:
        """The answer of the worker that has the task; of any worker, where no task is named and it doesn't matter."""
        until = time.monotonic() + self._wait_s
        task = parameters.get("task")
        while True:
            answer = self._asked_once(path, parameters, task)
            if not isinstance(answer, QueryError):
                return answer
            if answer.task is not None and answer.task != task:
                task = answer.task  # who has the task of this key; ask there
                continue
            if not answer.retriable or time.monotonic() > until:
                raise answer
            time.sleep(AGAIN_S)
            self._places = []

    def tasks(self, subtopology: int) -> list[str]:
        """The tasks of a sub-topology."""
        return [place.task for place in self._known() if place.task.startswith(f"{subtopology}_")]

    def places(self) -> dict[str, str | None]:
        """Where each task is, looked up anew."""
        self._places = []
        return {place.task: place.address for place in self._known()}

    def _known(self) -> list[Place]:
        if not self._places:
            self._places = self._directory.places()
        return self._places

    def _asked_once(self, path: str, parameters: Mapping[str, str], task: str | None) -> Any:
        addresses = dict.fromkeys(place.address for place in self._known() if task in (None, place.task))
        for address in addresses:
            asked = {**parameters, "application": self._directory.application_id}
            answer = None if address is None else self._workers.ask(address, path, asked)
            if answer is None:
                continue
            status, told = answer
            return told if status == 200 else QueryError(told["error"], told.get("reason", "failed"), told.get("task"))
        return QueryError(
            f"no worker answers for {'the application' if task is None else 'task ' + task}: is it running, with "
            'http="HOST:PORT"?',
            "migrated",
        )


class RemoteStore:
    """One store, over all workers that have a part of it. Reads what is not committed yet too.

    Keys and values are as JSON has them: what is a record in the program is a dictionary here. Rows of several tasks
    come task by task, in order within each (rule Q2).
    """

    def __init__(self, name: str, kind: str, subtopology: int | None, routing: Routing) -> None:
        self.name = name
        self.kind = kind
        self._subtopology = subtopology
        self._routing = routing

    # --- one key

    def __getitem__(self, key: Any) -> Any:
        found = self.look(key)
        if not found.rows:
            raise KeyError(key)
        return found.value

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a key."""
        found = self.look(key)
        return found.value if found.rows else default

    def look(
        self, key: Any, *, as_of: int | None = None, at_least: Mapping[TopicPartition, int] | None = None
    ) -> Found:
        """The value of a key with its timestamp, and how fresh that is; of a versioned store, also as it was (`as_of`).

        With `at_least`, a position, it waits until the store has come so far; QueryError when it hasn't in time.
        """
        return self._found("get", key, {"last": as_of}, at_least)

    def fetch(
        self, key: Any, first: int | None = None, last: int | None = None, *, reverse: bool = False
    ) -> list[tuple[int, int | None, Any]]:
        """(start, end, value) of a key's windows that start from `first` to `last`, in ms, or of its sessions that
        touch this time; the end is None where the store doesn't tell it.
        """
        found = self._found("fetch", key, {"first": first, "last": last, "reverse": reverse or None}, None)
        return [(row["start"], row.get("end"), row["value"]) for row in found.rows]

    def history(self, key: Any, first: int | None = None, last: int | None = None) -> list[tuple[Any, int, int | None]]:
        """(value, since, until) of the versions of a key that held from `first` to `last`, in ms."""
        found = self._found("history", key, {"first": first, "last": last}, None)
        return [(row["value"], row["timestamp"], row["valid_to"]) for row in found.rows]

    # --- many keys

    def range(self, first: Any = None, last: Any = None, *, reverse: bool = False) -> Iterator[tuple[Any, Any]]:
        """Rows from `first` to `last`, both included, in the order of the keys' bytes; None is open."""
        return self._pages("range", {"first": first, "last": last, "reverse": reverse or None})

    def prefix(self, prefix: Any) -> Iterator[tuple[Any, Any]]:
        """Rows whose keys' bytes begin with those of `prefix`."""
        return self._pages("prefix", {"key": prefix})

    def all(self) -> Iterator[tuple[Any, Any]]:
        """Every row, page by page: each page is as its store was at one moment."""
        return self._pages("all", {})

    def fetch_all(self, first: int | None = None, last: int | None = None) -> Iterator[tuple[Any, int, int, Any]]:
        """(key, start, end, value) of every key's windows that start from `first` to `last`, in ms, or its sessions
        that touch this time.
        """
        for task in self._tasks():
            for row in self._asked("fetch_all", {"first": first, "last": last}, task)["rows"]:
                yield row["key"], row["start"], row["end"], row["value"]

    # ---

    def _found(
        self, kind: str, key: Any, more: Mapping[str, Any], at_least: Mapping[TopicPartition, int] | None
    ) -> Found:
        bound = [[*source, offset] for source, offset in at_least.items()] if at_least else None
        told = self._asked(kind, {"key": key, "bound": bound, **more})
        position = {TopicPartition(topic, number): at for topic, number, at in told["position"] or ()}
        return Found(told["rows"], position, told["lag"], told["task"])

    def _pages(self, kind: str, parameters: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
        for task in self._tasks():
            after = None
            while True:
                told = self._asked(kind, parameters, task, after)
                yield from ((row["key"], row["value"]) for row in told["rows"])
                after = told["more"]
                if after is None:
                    break

    def _tasks(self) -> Sequence[str | None]:
        return [None] if self._subtopology is None else self._routing.tasks(self._subtopology)

    def _asked(
        self, kind: str, parameters: Mapping[str, Any], task: str | None = None, after: str | None = None
    ) -> Any:
        asked = {name: msgspec.json.encode(value).decode() for name, value in parameters.items() if value is not None}
        asked |= {"store": self.name, "kind": kind}
        if task is not None:
            asked["task"] = task
        if after is not None:
            asked["after"] = after
        return self._routing.ask("/query", asked)
