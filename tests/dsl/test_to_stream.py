"""A table's updates as a stream: each of them, or the latest of each key in a round."""

from __future__ import annotations

import pytest

import millstream as ms
from tests.tasks import Tasks


def counted() -> tuple[ms.App, ms.Table[str, int]]:
    app = ms.App("letters", emit="every")
    return app, app.stream("letters").group_by_key().count()


def written(app: ms.App, letters: str, topic: str) -> list[tuple[str, int, int]]:
    tasks = Tasks(app.topology(), {"letters": 1, topic: 1})
    for at_ms, letter in enumerate(letters):
        tasks.put("letters", 0, (letter.encode(), b"1", at_ms))
    tasks.run(max_rows=4)
    return [(row.key.decode(), int.from_bytes(row.value, "big"), row.timestamp) for row in tasks.read(topic)]


def test_every_update_by_default():
    app, counts = counted()
    counts.to_stream().to("counts")
    assert written(app, "aba", "counts") == [("a", 1, 0), ("b", 1, 1), ("a", 2, 2)]


def test_the_latest_of_each_round_of_four_by_last_update():
    app, counts = counted()
    counts.to_stream(emit="latest").to("counts")
    assert written(app, "abba" + "cb", "counts") == [("b", 2, 2), ("a", 2, 3), ("c", 1, 4), ("b", 3, 5)]


def test_one_table_both_ways():
    app, counts = counted()
    latest = counts.to_stream(emit="latest")
    latest.merge(counts.to_stream()).to("counts")
    assert written(app, "aa", "counts") == [("a", 1, 0), ("a", 2, 1), ("a", 2, 1)]


def test_other_words_are_refused():
    _, counts = counted()
    with pytest.raises(ms.TopologyError, match=r'emit must be "every" or "latest", got \'last\''):
        counts.to_stream(emit="last")  # type: ignore[arg-type]
