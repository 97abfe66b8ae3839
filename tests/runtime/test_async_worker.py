"""Workers with asynchronous operators and global stores, on both brokers (X3, X18, K19)."""

from __future__ import annotations

import asyncio

from tests.client.brokers import unique
from tests.runtime.running import EVENT_TIME, read_all, running, write

import millstream as ms
from millstream.errors import ProcessingError

COUNT = 300


def rows(count: int, first: int = 0) -> list[tuple[bytes | None, bytes | None, int]]:
    return [(b"k%d" % (n % 7), b"%d" % n, EVENT_TIME + n) for n in range(first, first + count)]


def values_by_key(client, topic: str) -> dict[bytes, list[int]]:
    found: dict[bytes, list[int]] = {}
    for row in read_all(client, topic, 2):
        found.setdefault(row[0], []).append(int(row[1]))
    return found


def expected(count: int) -> dict[bytes, list[int]]:
    return {b"k%d" % key: list(range(key, count, 7)) for key in range(7)}


class Echo:
    """Answers some records sooner than those before them; the poison it cannot answer."""

    under_way = most = 0
    poison: str | None = None

    async def init(self, context: ms.ProcessorContext) -> None:
        self.context = context

    async def process(self, record: ms.Message) -> None:
        cls = type(self)
        cls.under_way += 1
        cls.most = max(cls.most, cls.under_way)
        try:
            await asyncio.sleep(0.001 * (int(record.value) % 3))
            if record.value == cls.poison:
                raise ConnectionError("nobody there")
            self.context.forward(record)
        finally:
            cls.under_way -= 1


def echoing(source: str, sink: str, name: str, kind: type) -> ms.App:
    app = ms.App(name, commit_interval="50ms", emit="every")
    app.stream(source, value=str).process_values(kind, calls=ms.async_calls(concurrency=20), value=str).to(sink)
    return app


def test_calls_of_both_tasks_keep_the_order_of_each_key(client, new_topic):
    source, sink = new_topic("asked", 2), new_topic("answered", 2)
    write(client, source, rows(COUNT), 2)

    class Kept(Echo):
        pass

    with running(echoing(source, sink, unique("app"), Kept), client) as worker:
        worker.until(lambda status: status.records == COUNT)
        worker.stop()
    assert values_by_key(client, sink) == expected(COUNT)
    assert Kept.most > 1
    assert Kept.under_way == 0


def test_what_was_not_answered_is_asked_again(client, new_topic):
    """A call fails for good, so that the worker stops; the next one begins before it, and nothing is lost."""
    source, sink = new_topic("asked", 2), new_topic("answered", 2)
    write(client, source, rows(COUNT), 2)

    class Poisoned(Echo):
        poison = "200"

    app = echoing(source, sink, unique("app"), Poisoned)
    with running(app, client) as worker:
        error = worker.until_failed()
    assert isinstance(error, ProcessingError)
    assert "nobody there" in str(error)
    Poisoned.poison = None
    with running(app, client) as worker:
        worker.until(lambda status: all(set(expected(COUNT)[key]) <= set(found) for key, found in seen(client, sink)))
        worker.stop()


def seen(client, sink: str) -> list[tuple[bytes, list[int]]]:
    found = values_by_key(client, sink)
    return [(key, found.get(key, [])) for key in expected(COUNT)]


class ByCity:
    def init(self, context: ms.ProcessorContext) -> None:
        self.cities = context.get_state_store("cities")

    def process(self, record: ms.Message) -> None:
        self.cities.put(record.value, record.key)

    def close(self) -> None:
        type(self).closed = True

    closed = False


class Looking:
    def init(self, context: ms.ProcessorContext) -> None:
        self.context, self.cities = context, context.get_state_store("cities")

    def process(self, record: ms.Message) -> None:
        self.context.forward(record.with_value(self.cities.get(record.value)))


def test_a_global_store_is_complete_before_anything_is_processed(client, new_topic):  # K18, K19
    stations, source, sink = new_topic("stations", 2), new_topic("cities", 2), new_topic("found", 2)
    write(client, stations, [(b"s%d" % n, b"c%d" % n, EVENT_TIME) for n in range(50)], 2)
    write(client, source, [(b"k%d" % n, b"c%d" % n, EVENT_TIME) for n in range(50)], 2)
    app = ms.App(unique("app"), commit_interval="50ms", emit="every")
    app.add_global_store(ms.key_value_store("cities", value=str), stations, ByCity, value=str)
    app.stream(source, value=str).process_values(Looking, value=str).to(sink)
    with running(app, client) as worker:
        worker.until(lambda status: status.records == 50)
        worker.stop()
    assert {(row[0], row[1]) for row in read_all(client, sink, 2)} == {(b"k%d" % n, b"s%d" % n) for n in range(50)}
    assert ByCity.closed
