from __future__ import annotations

import json

import pytest

from millstream.engine.queries import Page, Query
from millstream.errors import QueryError
from millstream.model import TopicPartition
from millstream.runtime.questions import Reply
from millstream.service.store_routes import query_of, store_routes


class FakeQuestions:
    def __init__(self, answer: Reply | QueryError) -> None:
        self.answer = answer
        self.asked: list[Query] = []

    def ask(self, query: Query, timeout_s: float) -> Reply:
        self.asked.append(query)
        if isinstance(self.answer, QueryError):
            raise self.answer
        return self.answer


def test_an_answer_has_its_rows_and_how_fresh_they_are():
    reply = Reply(Page(b'[{"key":"a","value":1}]', b"a\xff"), "0_1", {TopicPartition("in", 1): 7}, 3)
    questions = FakeQuestions(reply)
    answer = store_routes(questions)["/query"]({"store": "s", "kind": "all", "task": "0_1", "after": "00ff"})
    assert answer.status == 200
    assert json.loads(answer.body) == {
        "rows": [{"key": "a", "value": 1}],
        "more": "61ff",
        "task": "0_1",
        "position": [["in", 1, 7]],
        "lag": 3,
    }
    assert (questions.asked[0].after, questions.asked[0].task) == (b"\x00\xff", "0_1")


def test_a_refusal_is_told_with_its_reason_and_the_task_to_ask():
    questions = FakeQuestions(QueryError("elsewhere", "migrated", "0_2"))
    answer = store_routes(questions)["/query"]({"store": "s", "kind": "get", "key": '"a"'})
    assert answer.status == 421
    assert json.loads(answer.body) == {"error": "elsewhere", "reason": "migrated", "task": "0_2"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"store": "s"},
        {"store": "s", "kind": "get"},
        {"store": "s", "kind": "get", "key": "{"},
        {"store": "s", "kind": "all", "after": "xyz"},
        {"store": "s", "kind": "all", "bound": '[["in", 0]]'},
        {"store": "s", "kind": "all", "limit": "many"},
    ],
)
def test_a_question_that_cannot_be_read_is_refused(given):
    with pytest.raises(QueryError) as raised:
        query_of(given)
    assert raised.value.reason == "unknown_query"
