"""Two workers, one of which is killed: the other goes on from its standby copies, and restores the rest alone (X8)."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from tests.client.brokers import unique
from tests.runtime.neighbour import neighbour, program
from tests.runtime.running import EVENT_TIME, latest, read_all, read_partition, running, write

from millstream.client.contract import TopicSpec
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.model import TopicPartition
from millstream.plan.internal import changelog_topic

PARTITIONS, KEYS = 4, 40
SETTINGS = {"commit_interval": "100ms", "num_standby_replicas": 1, "cache": 0}


def rows(first: int, count: int) -> list[tuple[bytes, bytes, int]]:
    ids = range(first, first + count)
    return [(f"k{i % KEYS}".encode(), json.dumps({"id": i}).encode(), EVENT_TIME + i) for i in ids]


def all_of(count: int) -> dict[str, list[int]]:
    return {f"k{key}": list(range(key, count, KEYS)) for key in range(KEYS)}


@pytest.mark.parametrize(
    ("store", "guarantee"),
    [("memory", "exactly_once_v2"), ("rocksdb", "exactly_once_v2"), ("rocksdb", "at_least_once")],
)
def test_the_other_worker_goes_on_from_its_copies(embedded_bootstrap, tmp_path: Path, caplog, store, guarantee):
    caplog.set_level(logging.INFO, "millstream.runtime")
    client, bootstrap = LibrdkafkaClient(embedded_bootstrap), embedded_bootstrap
    source, sink, name = unique("in"), unique("out"), unique("app")
    admin = client.admin()
    admin.create_topics([TopicSpec(topic, PARTITIONS, {}) for topic in (source, sink)], timeout_ms=10_000)
    admin.close()
    settings = SETTINGS | {"store": store, "processing_guarantee": guarantee}
    app = program(name, source, sink, **settings | {"state_dir": tmp_path / "here"})
    changelog = changelog_topic(name, "ids")
    there = settings | {"state_dir": str(tmp_path / "there")}

    def read(topic: str) -> dict[str, list[int]]:
        found = latest(read_all(client, topic, PARTITIONS, read_committed=guarantee != "at_least_once"))
        ids = {key.decode(): json.loads(value) for key, value in found.items()}
        return ids if guarantee != "at_least_once" else {key: sorted(set(each)) for key, each in ids.items()}

    with running(app, client) as survivor, neighbour(bootstrap, name, source, sink, there) as other:
        survivor.until(lambda status: len(status.tasks) == PARTITIONS // 2)
        write(client, source, rows(0, 2_000), PARTITIONS)
        survivor.until(lambda _: read(changelog) == all_of(2_000))
        logged = {
            f"0_{number}": len(read_partition(client, TopicPartition(changelog, number)))
            for number in range(PARTITIONS)
        }
        status = survivor.until(
            lambda status: status.standbys and all(each.rows == logged[each.id] for each in status.standbys)
        )
        copies = {each.id for each in status.standbys}
        other.kill()
        write(client, source, rows(2_000, 400), PARTITIONS)
        survivor.until(lambda status: status.ready and len(status.tasks) == PARTITIONS)
        after = survivor.until(lambda _: read(sink) == all_of(2_400))
        survivor.stop()
    assert not after.standbys
    moved = {each.id: each for each in after.tasks if each.id in copies}
    assert moved.keys() == copies and len(copies) == PARTITIONS // 2
    for task in moved.values():
        assert task.restored <= 2, f"{task}: all but marks of transactions came from the copy"
        assert f"task {task.id}: goes on from this worker's standby copy" in caplog.text
