"""The catalogue: names, counts, configurations, and that they are still there after a crash."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.journal import Journal
from millstream.broker.topics.catalogue import Catalogue, TopicError
from millstream.broker.topics.configs import TOPIC_CONFIGS, config_problem, log_settings
from millstream.broker.topics.names import name_problem
from millstream.model import TopicPartition


def test_everything_survives(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "metadata")
    catalogue = Catalogue(journal, uuid.uuid4)
    made = catalogue.create("a", 3, {"retention.ms": "5"})
    catalogue.create("gone", 1, {})
    catalogue.set_start_offset(TopicPartition("gone", 0), 9)
    catalogue.set_start_offset(TopicPartition("a", 2), 4)
    catalogue.delete("gone")
    catalogue.grow("a", 5)
    journal.close()
    again_journal = Journal(tmp_path / "metadata")
    again = Catalogue(again_journal, uuid.uuid4)
    assert [(topic.name, topic.partitions, topic.topic_id) for topic in again.topics()] == [("a", 5, made.topic_id)]
    assert again.start_offset(TopicPartition("a", 2)) == 4
    assert again.start_offset(TopicPartition("gone", 0)) == 0
    again_journal.close()


@pytest.mark.parametrize("name", ["", ".", "..", "a" * 250, "with space", "ü", "a/b"])
def test_names_that_kafka_refuses(name: str) -> None:
    assert name_problem(name)


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "a" * 249, "..."])
def test_names_that_kafka_takes(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "partitions", "code"),
    [
        ("a_b", 1, ErrorCode.topic_already_exists),
        ("a.b", 1, ErrorCode.invalid_topic_exception),
        ("new", 0, ErrorCode.invalid_partitions),
        ("?", 1, ErrorCode.invalid_topic_exception),
    ],
)
def test_what_cannot_be_created(name: str, partitions: int, code: ErrorCode) -> None:
    catalogue = Catalogue(Journal(None), uuid.uuid4)
    catalogue.create("a_b", 1, {})
    with pytest.raises(TopicError) as refused:
        catalogue.create(name, partitions, {})
    assert refused.value.code is code


def test_topics_only_grow() -> None:
    catalogue = Catalogue(Journal(None), uuid.uuid4)
    catalogue.create("a", 2, {})
    with pytest.raises(TopicError):
        catalogue.grow("a", 2)
    with pytest.raises(TopicError):
        catalogue.grow("b", 2)


def test_defaults_pass_their_own_checks() -> None:
    assert [name for name, config in TOPIC_CONFIGS.items() if config_problem(name, config.default)] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retention.ms", "-2"),
        ("cleanup.policy", "shred"),
        ("cleanup.policy", "compact,shred"),
        ("message.timestamp.type", "Mine"),
        ("max.message.bytes", "many"),
        ("no.such.config", "1"),
        ("min.cleanable.dirty.ratio", "1.5"),
    ],
)
def test_values_that_kafka_refuses(name: str, value: str) -> None:
    assert config_problem(name, value)


def test_what_logs_learn() -> None:
    told = log_settings({"cleanup.policy": "compact,delete", "message.timestamp.type": "LogAppendTime"})
    assert told.compacted
    assert told.append_time
    assert told.max_message_bytes == 1048588
