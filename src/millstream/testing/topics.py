"""Topics as a test holds them: records go into one, with a clock of its own, and come out of another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from millstream.duration import Duration, parse_duration_ms
from millstream.errors import MillstreamError
from millstream.model import Headers


class OutputRecord(NamedTuple):
    """A record that the topology wrote.

    >>> key, value, timestamp, headers = OutputRecord("k", "a line", 5)
    >>> headers
    ()
    """

    key: Any
    value: Any
    timestamp: int
    headers: Headers = ()


class Driver(Protocol):
    """What topics need of the test driver."""

    def pipe(
        self, topic: str, value: Any = None, *, key: Any = None, timestamp: int = 0, headers: Headers = ()
    ) -> None: ...
    def read(
        self, topic: str, *, key: Any = None, value: Any = None, most: int | None = None
    ) -> list[OutputRecord]: ...
    def waiting(self, topic: str) -> int: ...


class InputTopic:
    """A topic that a test writes, with a clock of its own.

    Each record without a timestamp of its own takes the clock's, and moves it on by `step`.

    >>> import millstream as ms
    >>> from millstream.testing import TestDriver
    >>> app = ms.App("words")
    >>> app.stream("lines", value=str).to("copies")
    >>> with TestDriver(app) as driver:
    ...     lines = driver.input_topic("lines", start=1000, step="5s")
    ...     lines.pipe("first", key="k")
    ...     lines.pipe_values(["second", "third"])
    ...     lines.advance_time("1m")
    ...     lines.pipe_pairs([("k", "fourth")])
    ...     [(record.value, record.timestamp) for record in driver.read("copies")]
    [('first', 1000), ('second', 6000), ('third', 11000), ('fourth', 76000)]
    """

    def __init__(self, driver: Driver, topic: str, start: Duration, step: Duration) -> None:
        self._driver = driver
        self.topic = topic
        self.now_ms = parse_duration_ms(start)
        self._step_ms = parse_duration_ms(step)

    def pipe(self, value: Any = None, *, key: Any = None, timestamp: int | None = None, headers: Headers = ()) -> None:
        """Process one record to its end; a timestamp that is given leaves the topic's own clock alone."""
        at = self.now_ms if timestamp is None else timestamp
        if timestamp is None:
            self.now_ms += self._step_ms
        self._driver.pipe(self.topic, value, key=key, timestamp=at, headers=headers)

    def pipe_values(self, values: Iterable[Any]) -> None:
        """Records without keys, one after the other."""
        for value in values:
            self.pipe(value)

    def pipe_pairs(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Records of (key, value), one after the other."""
        for key, value in pairs:
            self.pipe(value, key=key)

    def advance_time(self, by: Duration) -> None:
        """Move the next record's timestamp on."""
        self.now_ms += parse_duration_ms(by)


class OutputTopic:
    """A topic that a test reads, with the types of its keys and values; what was read is gone.

    >>> import millstream as ms
    >>> from millstream.testing import TestDriver
    >>> app = ms.App("words")
    >>> app.stream("lines", value=str).group_by_key().count().to_stream().to("counts")
    >>> with TestDriver(app) as driver:
    ...     lines, counts = driver.input_topic("lines"), driver.output_topic("counts")
    ...     lines.pipe_pairs([("x", "a line")] * 6)
    ...     counts.read(), counts.read_value(), len(counts)
    ...     lines.pipe("of y", key="y")
    ...     counts.read_pairs()
    ...     lines.pipe_pairs([("x", "a line"), ("y", "of y")])
    ...     counts.read_table(), counts.read_all(), counts.read_values()
    (OutputRecord(key='x', value=1, timestamp=0, headers=()), 2, 4)
    [('x', 3), ('x', 4), ('x', 5), ('x', 6), ('y', 1)]
    ({'x': 7, 'y': 2}, [], [])
    """

    def __init__(self, driver: Driver, topic: str, key: Any, value: Any) -> None:
        self._driver = driver
        self.topic = topic
        self._types = {"key": key, "value": value}

    def __len__(self) -> int:
        """How many records wait to be read."""
        return self._driver.waiting(self.topic)

    def read(self) -> OutputRecord:
        """Take the next record; an error if there is none."""
        found = self._driver.read(self.topic, most=1, **self._types)
        if not found:
            raise MillstreamError(f"there is no further record in topic {self.topic!r}")
        return found[0]

    def read_value(self) -> Any:
        """Take the next record's value."""
        return self.read().value

    def read_all(self) -> list[OutputRecord]:
        """Take all records."""
        return self._driver.read(self.topic, **self._types)

    def read_values(self) -> list[Any]:
        """Take all records' values."""
        return [record.value for record in self.read_all()]

    def read_pairs(self) -> list[tuple[Any, Any]]:
        """Take all records, as (key, value)."""
        return [(record.key, record.value) for record in self.read_all()]

    def read_table(self) -> dict[Any, Any]:
        """Take all records, as a table: the last value of each key, without those whose last one is None."""
        last = dict(self.read_pairs())
        return {key: value for key, value in last.items() if value is not None}
