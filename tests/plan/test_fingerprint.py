"""Programs whose stores or topics differ have different fingerprints; a changed function does not matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import millstream as ms
from millstream.plan.fingerprint import fingerprint
from tests.driving import every


class Sample(ms.Record):
    n: int
    m: int


def of(build: Callable[[ms.Stream[str, Sample]], Any]) -> str:
    app = every()
    build(app.stream("in", value=Sample))
    return fingerprint(app.topology())


def test_a_changed_function_does_not_matter() -> None:
    assert of(lambda s: s.filter(lambda v: v.n > 1).to("o")) == of(lambda s: s.filter(lambda v: v.m > 2).to("o"))


@pytest.mark.parametrize(
    "other",
    [
        lambda s: s.group_by_key().aggregate(n=ms.count()),
        lambda s: s.group_by_key().aggregate(n=ms.sum("n"), m=ms.count()),
        lambda s: s.group_by_key().aggregate(m=ms.sum("n"), n=ms.count()),
        lambda s: s.group_by_key().count(),
        lambda s: s.group_by_key().windowed_by(ms.tumbling(5)).aggregate(n=ms.count(), m=ms.sum("n")),
        lambda s: s.group_by_key().aggregate(n=ms.count(), m=ms.sum("n"), store="mine"),
    ],
)
def test_what_a_store_holds_matters(other: Any) -> None:
    assert of(lambda s: s.group_by_key().aggregate(n=ms.count(), m=ms.sum("n"))) != of(other)


@pytest.mark.parametrize("pair", [(5, 10), (10, 10)])
def test_the_windows_matter(pair: tuple[int, int]) -> None:
    """Two windows of the same retention are not the same."""
    size, grace = pair
    one = of(lambda s: s.group_by_key().windowed_by(ms.tumbling(size, grace=grace)).count())
    two = of(lambda s: s.group_by_key().windowed_by(ms.tumbling(size + 1, grace=grace - 1)).count())
    assert one != two
