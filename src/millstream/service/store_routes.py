"""Questions to stores over HTTP: `/stores` tells which there are, `/query` asks one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from millstream.engine.queries import MOST_ROWS, OF_ONE_KEY, Query
from millstream.errors import QueryError
from millstream.model import TopicPartition
from millstream.runtime.questions import Questions, Reply
from millstream.service.http import Answer, Parameters, Route

TIMEOUT_S = 10.0

STATUSES = {
    "unknown_query": 400,
    "unknown_store": 404,
    "not_up_to_bound": 412,
    "migrated": 421,
    "failed": 500,
    "not_started": 503,
}


def store_routes(questions: Questions) -> Mapping[str, Route]:
    """Routes that ask the worker's stores."""
    return {"/stores": lambda _: _stores(questions), "/query": lambda given: _query(questions, given)}


def _stores(questions: Questions) -> Answer:
    stores = questions.stores().items()
    return Answer.of({name: {"kind": spec.kind, "subtopology": sub} for name, (spec, sub) in stores})


def _query(questions: Questions, given: Parameters) -> Answer:
    try:
        return Answer.of(_told(questions.ask(query_of(given), TIMEOUT_S)))
    except QueryError as error:
        told = {"error": str(error), "reason": error.reason, "task": error.task}
        return Answer.of(told, STATUSES[error.reason])


def query_of(given: Parameters) -> Query:
    """The question in a request's parameters: `key`, `first`, `last` and `bound` are JSON, `after` is hexadecimal.

    >>> query_of({"store": "counts", "kind": "get", "key": '"k"', "bound": '[["in", 0, 7]]'}).bound
    {TopicPartition(topic='in', partition=0): 7}
    """
    try:
        query = Query(
            store=given["store"],
            kind=given["kind"],
            key=_json(given, "key"),
            first=_json(given, "first"),
            last=_json(given, "last"),
            reverse=given.get("reverse") == "true",
            after=bytes.fromhex(given["after"]) if "after" in given else None,
            limit=int(given.get("limit", MOST_ROWS)),
            task=given.get("task"),
            bound={TopicPartition(topic, number): offset for topic, number, offset in _json(given, "bound") or ()},
        )
    except (KeyError, ValueError, TypeError, msgspec.DecodeError) as error:
        raise QueryError(f"the question cannot be read: {type(error).__name__}: {error}", "unknown_query") from error
    if query.kind in OF_ONE_KEY and query.key is None:
        raise QueryError(f"{query.kind!r} asks for a key", "unknown_query")
    return query


def _json(given: Parameters, name: str) -> Any:
    return msgspec.json.decode(given[name]) if name in given else None


def _told(reply: Reply) -> dict[str, Any]:
    position = None if reply.position is None else [[*source, at] for source, at in sorted(reply.position.items())]
    more = None if reply.page.more is None else reply.page.more.hex()
    rows = msgspec.Raw(reply.page.rows)
    return {"rows": rows, "more": more, "task": reply.task, "position": position, "lag": reply.lag}
