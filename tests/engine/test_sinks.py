"""Sinks: topics and partitions chosen for each record (O10, F14), print, to_stream with a key (N6)."""

from __future__ import annotations

import pytest

import millstream as ms
from millstream.engine import EngineSettings
from millstream.errors import KafkaError, ProcessingError, SerializationError, TopologyError
from millstream.model import TopicPartition
from millstream.plan.describe import describe
from tests.driving import Driven, every
from tests.engine.tasks import Plan, Row, Rows, batch_of, rows_of


def written(app: ms.App, counts: dict[str, int], rows: Rows, settings: EngineSettings | None = None) -> dict[str, Rows]:
    """What one task reads from the topic `in` and writes, by partition."""
    task, outbox = Plan(app, counts | {"in": 1}, settings=settings).only_task()
    task.add(batch_of(TopicPartition("in", 0), rows))
    task.caught_up(TopicPartition("in", 0), len(rows))
    task.process(max_rows=99, up_to_ms=None, wall_ms=0)
    task.close()
    return {str(batch.target): rows_of(batch) for batch in outbox.drain()}


def test_a_topic_for_each_record() -> None:  # O10
    app = every()
    app.stream("in", value=str).to(lambda k, v: f"{k}-{v[0]}")
    run = Driven(app)
    run.pipe("in a x1 1", "in b y 2", "in a x2 3")
    assert run.out("a-x") == ["a=x1@1", "a=x2@3"]
    assert run.out("b-y") == ["b=y@2"]
    assert "(extractor class: " in describe(app.topology())


def test_records_keep_their_headers_and_the_default_partition() -> None:  # O10, F14, T8
    app = every()
    app.stream("in", value=str).to(lambda _v: "out")
    rows = [Row(b"a", b"x", 1, (("h", b"1"),)), Row(b"b", b"y", 2)]
    assert written(app, {"out": 10}, rows) == {"out-4": rows[:1], "out-6": rows[1:]}


def test_topics_must_exist() -> None:  # O10
    app = every()
    app.stream("in", value=str).to(lambda v: v)
    with pytest.raises(KafkaError, match="'nowhere' does not exist"):
        written(app, {"out": 1}, [Row(b"a", b"nowhere", 1)])


def test_a_function_that_names_no_topic() -> None:  # X15
    app = every()
    app.stream("in", value=str).to(lambda v: v if v == "out" else None)  # type: ignore[arg-type]
    rows = [Row(b"a", b"x", 1), Row(b"a", b"out", 2)]
    with pytest.raises(ProcessingError, match="expected the name of a topic, got None"):
        written(app, {"out": 1}, rows)
    assert written(app, {"out": 1}, rows, EngineSettings(on_error="skip")) == {"out-0": rows[1:]}


def test_partitioners() -> None:  # O10
    def partitioner(key: str, value: str, partitions: int) -> int | set[int] | None:
        assert (key, partitions) == ("a", 10)
        chosen: dict[str, int | set[int] | None] = {"all": {0, 1}, "none": set(), "one": 7, "default": None}
        return chosen[value]

    app = every()
    app.stream("in", value=str).to("out", partitioner=partitioner)
    rows = [Row(b"a", value, 1) for value in (b"all", b"none", b"one", b"default")]
    assert written(app, {"out": 10}, rows) == {
        "out-0": rows[:1],
        "out-1": rows[:1],
        "out-7": rows[2:3],
        "out-4": rows[3:],
    }


def test_partitioners_of_repartition_topics() -> None:  # O10
    app = every()
    app.stream("in", value=str).repartition(name="r", partitions=3, partitioner=lambda _k, v, _n: int(v)).to("out")
    assert list(written_into_repartition(app)) == ["app-r-repartition-2"]


def written_into_repartition(app: ms.App) -> dict[str, Rows]:
    plan = Plan(app, {"in": 1, "out": 1})
    outbox = plan.outbox()
    task = plan.task(plan.resolved.tasks[0], outbox)
    task.start()
    task.add(batch_of(TopicPartition("in", 0), [Row(b"a", b"2", 1)]))
    task.caught_up(TopicPartition("in", 0), 1)
    task.process(max_rows=9, up_to_ms=None, wall_ms=0)
    task.close()
    return {str(batch.target): rows_of(batch) for batch in outbox.drain()}


def test_a_topic_may_be_told_from_where_the_record_came() -> None:  # O10
    def topic_of(key: str, value: str, context: ms.RecordContext) -> str:
        (header,) = context.headers
        return f"{context.topic}-{context.partition}-{context.offset}-{context.timestamp}-{header[0]}"

    app = every()
    app.stream("in", value=str).group_by_key().reduce(lambda a, b: a + b).to_stream().to(topic_of)
    run = Driven(app)
    run.driver.pipe("in", "x", key="a", timestamp=7, headers=(("h", b"1"),))
    run.driver.pipe("in", "y", key="a", timestamp=3, headers=(("g", b"1"),))
    assert run.out("in-0-0-7-h") == ["a=x@7"]
    assert run.out("in-0-1-7-g") == ["a=xy@7"], "the result's timestamp is the larger one"


@pytest.mark.parametrize("chosen", [5, -1, [0, 9]])
def test_a_partition_that_is_not_there(chosen: int | list[int]) -> None:  # O10
    app = every()
    app.stream("in", value=str).to("out", partitioner=lambda _k, _v, _n: chosen)
    with pytest.raises(SerializationError, match="the partitioner chose partition"):
        written(app, {"out": 5}, [Row(b"a", b"x", 1)])


def test_what_is_refused() -> None:
    stream = every().stream("in", value=str)
    with pytest.raises(TopologyError, match="expected a topic's name"):
        stream.to("")
    with pytest.raises(TopologyError, match="arguments"):
        stream.to("out", partitioner=lambda _key: 1)  # type: ignore[arg-type, misc]
    with pytest.raises(TopologyError, match="arguments"):
        stream.repartition(partitioner=lambda _key: 1)  # type: ignore[arg-type, misc]


def test_print(capsys: pytest.CaptureFixture[str]) -> None:
    app = every()
    stream = app.stream("in", value=str)
    stream.print("seen")
    stream.print()
    Driven(app).pipe("in a x 1", "in - - 2")
    assert capsys.readouterr().out.split("\n") == [
        "[seen]: a, x",
        "[KSTREAM-SOURCE-0000000000]: a, x",
        "[seen]: None, None",
        "[KSTREAM-SOURCE-0000000000]: None, None",
        "",
    ]


def test_to_stream_with_a_key() -> None:  # N6, O3
    app = every()
    windowed = app.stream("in", value=str).group_by_key().windowed_by(ms.tumbling(10)).count()
    windowed.to_stream(key=lambda k, n: k.key * n, key_type=str).to("out")
    assert Driven(app).says("in a x 1", "in a x 2") == ["a=1@1", "aa=2@2"]
    assert [node.name[:-11] for node in app.topology().nodes][-3:] == [
        "KTABLE-TOSTREAM",
        "KSTREAM-KEY-SELECT",
        "KSTREAM-SINK",
    ]
