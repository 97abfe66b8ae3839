"""What is done from time to time, by a manual clock."""

from __future__ import annotations

import pytest
from kio.schema.errors import ErrorCode

from millstream.broker.broker import Broker
from millstream.broker.groups.offsets import CommittedOffset
from millstream.broker.settings import DEFAULTS
from millstream.broker.upkeep import keep_up as rounds_of_upkeep
from millstream.model import TopicPartition
from tests.broker.batches import batch
from tests.broker.core import Core
from tests.broker.groups.test_coordinator import Cluster
from tests.broker.transactions.client import TransactionalProducer

NOW = 1_000_000


def keep_up(broker: Broker, wall_ms: int) -> None:
    """A whole round at once."""
    for _ in rounds_of_upkeep(broker, wall_ms):
        pass


def log_of(core: Core, configs: dict[str, str]):  # type: ignore[no-untyped-def]
    core.broker.partitions.add(core.broker.catalogue.create("t", 1, configs))
    partition = core.broker.partitions.get("t", 0)
    assert partition is not None
    return partition.log


@pytest.mark.parametrize(("policy", "start"), [("delete", 1), ("compact,delete", 1), ("compact", 0)])
def test_topics_keep_what_they_are_configured_to_keep(policy: str, start: int) -> None:
    core = Core()
    log = log_of(core, {"retention.ms": "100", "cleanup.policy": policy})
    log.append(batch([(NOW, b"k", b"v")]), NOW)
    keep_up(core.broker, NOW + 100)
    assert log.start_offset == 0
    keep_up(core.broker, NOW + 101)
    assert log.start_offset == start


def test_a_full_disk_leaves_it_for_the_next_round(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Core()
    log = log_of(core, {"retention.ms": "100"})
    log.append(batch([(NOW, b"k", b"v")]), NOW)

    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("millstream.broker.log.blob.MemoryFolder.open", disk_full)
        keep_up(core.broker, NOW + 101)
    assert log.start_offset == 0
    keep_up(core.broker, NOW + 101)
    assert log.start_offset == 1


def test_silent_producers_are_forgotten() -> None:
    core = Core()
    log = log_of(core, {})
    log.append(batch(producer_id=7, epoch=0, sequence=0), NOW)
    keep_up(core.broker, NOW + DEFAULTS.producer_ids_ms)
    assert len(log.producers) == 1
    keep_up(core.broker, NOW + DEFAULTS.producer_ids_ms + 1)
    assert len(log.producers) == 0


def test_idle_transactional_ids_are_forgotten() -> None:
    core = Core()
    log_of(core, {})
    idle, busy = TransactionalProducer(core, "idle"), TransactionalProducer(core, "busy")
    idle.init()
    busy.init()
    busy.add(0)
    keep_up(core.broker, NOW + DEFAULTS.transactional_ids_ms + 1)
    assert idle.add(0) is ErrorCode.invalid_producer_id_mapping
    assert busy.add(0) is ErrorCode.none


def test_offsets_of_groups_without_members_expire() -> None:
    cluster = Cluster()
    groups = cluster.groups
    groups.know("g")
    groups.offsets.commit("g", {TopicPartition("t", 0): CommittedOffset(5, 0, "", NOW)})
    groups.expire(NOW + 10, DEFAULTS.offsets_retention_ms)
    groups.offsets.commit("g", {TopicPartition("t", 1): CommittedOffset(5, 0, "", NOW + 20)})
    groups.expire(NOW + 9 + DEFAULTS.offsets_retention_ms, DEFAULTS.offsets_retention_ms)
    assert len(groups.offsets.of_group("g")) == 2
    groups.expire(NOW + 10 + DEFAULTS.offsets_retention_ms, DEFAULTS.offsets_retention_ms)
    assert list(groups.offsets.of_group("g")) == [TopicPartition("t", 1)]
    groups.expire(NOW + 20 + DEFAULTS.offsets_retention_ms, DEFAULTS.offsets_retention_ms)
    assert groups.classic.get("g") is None


def test_offsets_of_groups_with_members_do_not_expire() -> None:
    cluster = Cluster()
    cluster.join("")
    cluster.advance(1_000)
    cluster.groups.offsets.commit("g", {TopicPartition("t", 0): CommittedOffset(5, 0, "", NOW)})
    for round_ in (1, 2):
        cluster.groups.expire(NOW + round_ * 2 * DEFAULTS.offsets_retention_ms, DEFAULTS.offsets_retention_ms)
    assert len(cluster.groups.offsets.of_group("g")) == 1
