"""A stream joined with itself gives the same answers out of one store as out of two (rule J11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import millstream as ms
from millstream.engine import EngineSettings
from tests.driving import Driven

KINDS = ("join", "left_join", "outer_join")


def app(kind: str, window: Any, optimize: str, joiner: Callable[..., str] | None = None) -> ms.App:
    made = ms.App("app", emit="every", optimize=optimize)
    stream = made.stream("in", value=str)
    both = joiner or (lambda left, right: f"{left}+{right}")
    getattr(stream, kind)(made.stream("in", value=str), both, window=window).to("out")
    return made


def test_one_store_gives_the_rule_books_answers() -> None:  # J11
    driven = Driven(app("join", ms.join_window(5), "single.store.self.join"))
    assert driven.says("in a x 100") == ["a=x+x@100"]
    assert driven.says("in a y 105") == ["a=y+x@105", "a=x+y@105", "a=y+y@105"]
    assert driven.driver.store("KSTREAM-JOINTHIS-0000000004-store") is not None
    with pytest.raises(ms.MillstreamError, match="there is no store named"):
        driven.driver.store("KSTREAM-JOINOTHER-0000000005-store")


RECORDS = st.lists(
    st.tuples(st.sampled_from("ab-"), st.sampled_from("vw-"), st.integers(0, 60)).map(
        lambda r: "in {} {} {}".format(*r)
    ),
    max_size=25,
)


@given(RECORDS, st.sampled_from(KINDS), st.integers(0, 12), st.integers(0, 12), st.integers(1, 12))
def test_one_store_gives_what_two_give(records: list[str], kind: str, before: int, after: int, grace: int) -> None:
    window = ms.join_window(before=before, after=after, grace=grace)
    one, two = (Driven(app(kind, window, optimize)) for optimize in ("all", "none"))
    for record in records:
        assert one.says(record) == two.says(record), record


def test_to_the_letter_of_kafka_streams() -> None:
    """What its node for one store does where it differs from its nodes for two: ours only if it is asked for."""
    records = ["in a x 18", "in a y 9", "in - z 18"]  # 9 is the oldest that the retention of 10 has at 18
    answers = {"kafka": ["a=x+x@18"], "lossless": ["a=x+x@18", "a=y+None@9", "a=y+y@9", "null=z+None@18"]}
    for rule, answer in answers.items():
        driven = Driven(app("left_join", ms.join_window(5), "all"), EngineSettings(retention_rule=rule))
        assert driven.says(*records) == answer
    two = Driven(app("left_join", ms.join_window(5), "none"), EngineSettings(retention_rule="kafka"))
    assert two.says(*records) == answers["lossless"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_that_leaves_out_the_record_itself_keeps_two_stores(kind: str) -> None:
    window = ms.join_window(before=-1, after=5)
    one, two = (app(kind, window, optimize).topology().nodes for optimize in ("all", "none"))
    assert [node.name for node in one] == [node.name for node in two]


def test_a_joiner_sees_the_key_if_it_asks() -> None:
    driven = Driven(app("join", ms.join_window(5), "all", lambda key, left, right: f"{key}:{left}+{right}"))
    assert driven.says("in a x 1", "in a y 2")[1:] == ["a=a:y+x@2", "a=a:x+y@2", "a=a:y+y@2"]


def test_a_failing_joiner_is_asked_once_a_side() -> None:  # X15
    def fails(left: str, right: str) -> str:
        if (left, right) == ("y", "x"):
            raise ValueError("left")
        return f"{left}+{right}"

    driven = Driven(app("join", ms.join_window(5), "all", fails), EngineSettings(on_error="skip"))
    assert driven.says("in a x 1", "in a y 2") == ["a=x+x@1", "a=x+y@2", "a=y+y@2"]
