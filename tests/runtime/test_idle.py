"""A whole worker whose windows close although no newer record comes, on both brokers."""

from __future__ import annotations

import pytest
from tests.client.brokers import unique
from tests.runtime.running import EVENT_TIME, read_all, running, write

import millstream as ms


@pytest.fixture
def topics(new_topic) -> tuple[str, str, str]:
    return new_topic("clicks", 1), new_topic("counts", 1), new_topic("late", 1)


def per_second(topics: tuple[str, str, str], name: str) -> ms.App:
    source, sink, late = topics
    app = ms.App(name, idle="wall-clock", idle_after="100ms", commit_interval="100ms")
    windows = app.stream(source, value=str).group_by_key().windowed_by(ms.tumbling(50)).emit_on_close()
    counts = windows.count()
    counts.late().to(late)
    counts.to_stream().to(sink)
    return app


def test_windows_close_by_the_wall_clock_and_once(client, topics) -> None:  # E9, F15
    source, sink, late = topics
    name = unique("app")
    start = EVENT_TIME // 50 * 50
    write(client, source, [(b"a", b"x", start + 1), (b"a", b"y", start + 2)], 1)
    with running(per_second(topics, name), client) as worker:
        worker.until(lambda _: len(read_all(client, sink, 1)) == 1)
        worker.stop()
    with running(per_second(topics, name), client) as worker:  # nothing is told again after a restart
        write(client, source, [(b"a", b"late", start + 3), (b"a", b"z", start + 60)], 1)
        worker.until(lambda _: len(read_all(client, sink, 1)) == 2)
        worker.stop()
    assert [(key[:1], int.from_bytes(value)) for key, value, _ in read_all(client, sink, 1)] == [(b"a", 2), (b"a", 1)]
    assert [value for _, value, _ in read_all(client, late, 1)] == [b"late"]
