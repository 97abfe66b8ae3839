"""Tasks, internal topics and their partition counts (O7-O9, N1-N3)."""

from __future__ import annotations

import pytest

import millstream as ms
from millstream.errors import TopologyError
from millstream.model import TopicPartition
from millstream.plan.internal import Resolved, internal_topics
from tests.driving import every


def resolved(app: ms.App, **counts: int) -> Resolved:
    return internal_topics(app.topology(), "app", counts)


def counts_of(app: ms.App, **counts: int) -> dict[str, int]:
    return {topic.name: topic.partitions for topic in resolved(app, **counts).topics}


def test_a_task_for_each_partition_of_a_subtopology() -> None:  # X1
    app = every()
    app.stream("in").group_by(lambda v: v, name="g").count(store="c").to_stream().to("out")
    tasks = resolved(app, **{"in": 2}).tasks
    assert [str(task.id) for task in tasks] == ["0_0", "0_1", "1_0", "1_1"]
    assert tasks[2].inputs == (TopicPartition("app-g-repartition", 0),)
    assert dict(tasks[3].changelogs) == {TopicPartition("app-c-changelog", 1): "c"}


def test_sources_with_fewer_partitions_are_missing_in_later_tasks() -> None:  # O9
    app = every()
    app.stream("a", "b").to("out")
    inputs = [[str(source) for source in task.inputs] for task in resolved(app, a=1, b=2).tasks]
    assert inputs == [["a-0", "b-0"], ["b-1"]]


def test_a_repartition_topic_is_as_wide_as_what_is_written_into_it() -> None:  # O7
    app = every()
    merged = app.stream("a").merge(app.stream("b"))
    merged.group_by(lambda v: v, name="g").count(store="c")
    assert counts_of(app, a=2, b=5) == {"app-g-repartition": 5, "app-c-changelog": 5}


def test_an_explicit_count_holds() -> None:  # O7
    app = every()
    app.stream("a").repartition(name="r", partitions=7).group_by(lambda v: v, name="g").count(store="c")
    assert counts_of(app, a=2) == {"app-r-repartition": 7, "app-g-repartition": 7, "app-c-changelog": 7}


def test_a_repartition_topic_takes_the_count_of_a_topic_that_it_is_joined_with() -> None:  # O8
    app = every()
    app.stream("a").select_key(str).join(app.table("t"), lambda v, row: v, name="j").to("out")
    assert counts_of(app, a=2, t=5)["app-j-repartition"] == 5


def test_an_explicit_count_that_differs_is_refused() -> None:  # O8
    app = every()
    app.stream("a").repartition(name="r", partitions=3).join(app.table("t"), lambda v, row: v).to("out")
    with pytest.raises(TopologyError, match="r-repartition has 3, t has 5"):
        resolved(app, a=2, t=5)


def joined_aggregates(left: int | None, right: int | None) -> ms.App:
    app = every()
    table = app.stream("a").repartition(name="left", partitions=left).group_by_key().count()
    stream = app.stream("b").repartition(name="right", partitions=right)
    stream.join(table, lambda v, n: n).to("out")
    return app


@pytest.mark.parametrize(("left", "right", "both"), [(None, None, 4), (6, None, 6), (None, 6, 6), (3, 3, 3)])
def test_joined_repartition_topics_take_the_explicit_count_or_the_largest(  # O8
    left: int | None, right: int | None, both: int
) -> None:
    found = counts_of(joined_aggregates(left, right), a=2, b=4)
    assert (found["app-left-repartition"], found["app-right-repartition"]) == (both, both)


def test_explicit_counts_of_joined_repartition_topics_must_agree() -> None:  # O8
    with pytest.raises(TopologyError, match="left-repartition has 2, right-repartition has 3"):
        resolved(joined_aggregates(2, 3), a=1, b=1)


def test_a_table_joined_again_after_a_new_key() -> None:
    """The repartition topic is written and read by the same sub-topology."""
    app = every()
    table = app.table("t")
    first = app.stream("a").join(table, lambda v, row: v)
    first.select_key(str).join(table, lambda v, row: v, name="again").to("out")
    assert counts_of(app, a=3, t=3)["app-again-repartition"] == 3


def test_configurations() -> None:  # N1-N3
    app = every()
    grouped = app.stream("in").group_by(lambda v: v, name="g")
    grouped.count(store="c")
    grouped = app.stream("in").group_by(lambda v: v, name="w")
    grouped.windowed_by(ms.tumbling("10s", grace="5s")).count(store="w")
    config = {topic.name: dict(topic.config) for topic in resolved(app, **{"in": 1}).topics}
    assert config["app-g-repartition"] == {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "segment.bytes": "52428800",
        "message.timestamp.type": "CreateTime",
    }
    assert config["app-c-changelog"] == {"cleanup.policy": "compact", "message.timestamp.type": "CreateTime"}
    assert config["app-w-changelog"]["cleanup.policy"] == "compact,delete"
    assert config["app-w-changelog"]["retention.ms"] == str(15_000 + 86_400_000)
