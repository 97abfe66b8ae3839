"""The user's functions: what they can be called with."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from millstream.errors import TopologyError
from millstream.plan.function import UNKNOWN, declared_result, user_function
from millstream.plan.site import CallSite

SITE = CallSite("map", "user.py", 3)


class Callable1:
    def __call__(self, value: int) -> int:
        return value


@pytest.mark.parametrize(
    ("fn", "with_key"),
    [
        (lambda v: v, False),
        (lambda k, v: v, True),
        (lambda v, scale=2: v, False),
        (lambda v=None: v, False),
        (lambda *args: args, False),
        (lambda v, *rest: v, False),
        (lambda v, *, named=1: v, False),
        (str, False),
        (int, False),
        (len, False),
        (str.upper, False),
        (Callable1(), False),
        (functools.partial(lambda a, v: v, 1), False),
        (max, False),
    ],
)
def test_accepted(fn: Any, with_key: bool) -> None:
    assert user_function(fn, SITE).with_key is with_key


@pytest.mark.parametrize("fn", [lambda: 1, lambda a, b, c: 1, 5, None, "f"])
def test_refused(fn: Any) -> None:
    with pytest.raises(TopologyError, match=r"map at user\.py:3: "):
        user_function(fn, SITE)


def test_declared_results() -> None:
    def says(value: int) -> float:
        return value

    def keeps_quiet(value):  # type: ignore[no-untyped-def]
        return value

    assert declared_result(says) is float
    assert declared_result(str) is str
    assert declared_result(keeps_quiet) is UNKNOWN
    assert declared_result(lambda v: v) is UNKNOWN
    assert declared_result(Callable1()) is UNKNOWN
