"""What is watched while a seed runs, and looked at when it has ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kio.schema.errors import ErrorCode

from millstream.broker.log.batch import read_header
from millstream.broker.protocol import apis
from millstream.engine.local import LocalStores
from millstream.model import Batch, TopicPartition
from millstream.plan.internal import TaskSpec
from millstream.plan.nodes import StoreSpec
from millstream.plan.topology import Topology
from tests.simulator.assignor import assigned
from tests.simulator.disks import Disks
from tests.simulator.records import decoded
from tests.simulator.scenarios import Written
from tests.simulator.schedule import Schedule
from tests.simulator.server import SimulatedServer
from tests.state.disks import MemoryTaskDisk

ALL_BYTES = 100_000_000


class Watch:
    """Looks at every request that the broker answers."""

    def __init__(self, schedule: Schedule, server: SimulatedServer, violations: list[str]) -> None:
        self.tasks: dict[TopicPartition, TaskSpec] = {}
        self.zombies = False
        self._schedule = schedule
        self._server = server
        self._violations = violations
        self._committed: dict[TopicPartition, int] = {}
        server.observers.append(self._answered)

    def lost(self) -> None:
        self.zombies = True

    def look_at_disks(self, disks: Disks) -> None:
        """No store on disk is ahead of its changelog, whatever has just ended its process."""
        if not self._server.up:
            return
        for folder, disk in disks.by_folder.items():
            spec = next((each for each in self.tasks.values() if str(each.id) == folder.parent.name), None)
            for changelog, name in spec.changelogs.items() if spec is not None and folder.exists() else ():
                partition = self._server.core.partitions.get(*changelog)
                end = 0 if partition is None else partition.log.end_offset
                if disk.at.get(name, 0) > end:
                    self._violations.append(f"{folder} has {changelog} up to {disk.at[name]}, it ends at {end}")

    def behind(self, group: str) -> dict[str, tuple[int, int]]:
        """Inputs whose committed offset is not their end, and topics with open transactions, with both offsets."""
        core = self._server.core
        offsets = core.groups.offsets.of_group(group)
        found = {}
        for spec in self.tasks.values():
            for source in spec.inputs:
                partition = core.partitions.get(*source)
                end = 0 if partition is None else partition.log.stable_offset
                at = offsets[source].offset if source in offsets else 0
                if at < end and _has_records(source, self._server, at):
                    found[str(source)] = (at, end)
        for partition in core.partitions.all():
            log = partition.log
            if log.stable_offset < log.end_offset:  # a dead worker's transaction, until the broker ends it
                found[log.name] = (log.stable_offset, log.end_offset)
        return found

    def _answered(self, key: int, message: Any, answer: Any) -> None:
        if key == apis.OFFSET_COMMIT:
            self._commit(message.group_id, message.member_id, message, answer)
        elif key == apis.TXN_OFFSET_COMMIT:
            self._promised(message, answer)
        elif key == apis.FETCH:
            self._fetched(answer)

    def _commit(self, group_id: str, member_id: str, message: Any, answer: Any) -> None:
        stored = {
            TopicPartition(topic.name, each.partition_index)
            for topic in answer.topics
            for each in topic.partitions
            if each.error_code is ErrorCode.none
        }
        offsets = {
            TopicPartition(topic.name, each.partition_index): each.committed_offset
            for topic in message.topics
            for each in topic.partitions
        }
        if stored:
            self._schedule.tell("{} commits {}", member_id, {str(source): offsets[source] for source in sorted(stored)})
        for source in stored:
            self._may_commit(group_id, member_id, source)
            self._is_sane(source, offsets[source])

    def _promised(self, message: Any, answer: Any) -> None:
        """Offsets of a transaction that is not committed yet, and may not be."""
        for topic in answer.topics:
            for each in topic.partitions:
                if each.error_code is ErrorCode.none:
                    source = TopicPartition(topic.name, each.partition_index)
                    self._may_commit(message.group_id, message.member_id, source)

    def _may_commit(self, group_id: str, member_id: str, source: TopicPartition) -> None:
        """Nobody commits for a task that another has been given."""
        group = self._server.core.groups.classic.get(group_id)
        tasks = {place for place, spec in self.tasks.items() if source in spec.inputs}
        for other in () if group is None else group.members.values():
            if other.member_id != member_id and tasks.intersection(assigned(other.assignment)):
                self._violations.append(f"{member_id} committed {source}, which {other.member_id} has been given")

    def _is_sane(self, source: TopicPartition, offset: int) -> None:
        partition = self._server.core.partitions.get(*source)
        end = 0 if partition is None else partition.log.end_offset
        if offset > end:
            self._violations.append(f"{source} is committed up to {offset}, and ends at {end}")
        if offset < self._committed.get(source, 0):
            self._violations.append(f"{source} was committed up to {self._committed[source]}, and now up to {offset}")
        self._committed[source] = offset

    def _fetched(self, answer: Any) -> None:
        for topic in answer.topics:
            for each in topic.partitions:
                if each.error_code is ErrorCode.none and not (
                    each.log_start_offset <= each.last_stable_offset <= each.high_watermark
                ):
                    self._violations.append(
                        f"{topic.name}-{each.index}: it begins at {each.log_start_offset}, is stable up to "
                        f"{each.last_stable_offset} and ends at {each.high_watermark}"
                    )


def _has_records(source: TopicPartition, server: SimulatedServer, offset: int) -> bool:
    """Whether a consumer sees anything from there on: markers of transactions are nothing to commit."""
    return any(batch.next_offset > offset and len(batch) for batch in batches(server, source, offset))


def written(server: SimulatedServer, source: TopicPartition) -> Iterator[Written]:
    """What a consumer of committed records sees of a partition."""
    for batch in batches(server, source):
        for at, stamp, key, value in zip(*_columns(batch), strict=True):
            yield Written(source.partition, at, stamp, _parsed(key), _parsed(value))


def batches(server: SimulatedServer, source: TopicPartition, begin: int = 0) -> Iterator[Batch]:
    partition = server.core.partitions.get(*source)
    if partition is None:
        return
    log = partition.log
    offset = max(log.start_offset, begin)
    while offset < log.stable_offset:
        records = log.read(offset, ALL_BYTES, at_least_one=True, before=log.stable_offset)
        aborted = [(each.producer_id, each.first_offset) for each in log.transactions.aborted(offset, log.end_offset)]
        batch = decoded(source, records, offset, aborted)
        if batch is None:
            return
        yield batch
        offset = batch.next_offset


def between(batch: Batch, begin: int, end: int) -> Batch:
    """The rows of a batch at these offsets."""
    rows = [row for row in zip(*_columns(batch), strict=True) if begin <= row[0] < end]
    offsets, timestamps, keys, values = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Batch(batch.source, offsets, timestamps, keys, values, None, batch.next_offset)


def _columns(batch: Batch) -> tuple[Sequence[Any], ...]:
    return batch.offsets, batch.timestamps, batch.keys, batch.values


def _parsed(data: bytes | None) -> Any:
    try:
        return None if data is None else json.loads(data)
    except ValueError:  # a key that is a plain string
        return str(data, errors="replace")


class Inspection:
    """The broker's logs at the end."""

    def __init__(self, server: SimulatedServer, *, exactly_once: bool, zombies: bool, every: bool) -> None:
        self.exactly_once = exactly_once
        self.zombies = zombies
        self.every = every
        self._server = server

    def rows(self, topic: str) -> list[Written]:
        known = self._server.core.catalogue.get(topic)
        count = 0 if known is None else known.partitions
        return [row for number in range(count) for row in written(self._server, TopicPartition(topic, number))]

    def broken_logs(self) -> Iterator[str]:
        """Offsets follow one another, and no transaction is left open."""
        for partition in self._server.core.partitions.all():
            log = partition.log
            if log.stable_offset != log.end_offset:
                yield f"{log.name} is stable up to {log.stable_offset} only, of {log.end_offset}"
            offset = log.start_offset
            while offset < log.end_offset:
                header = read_header(log.read(offset, 0, at_least_one=True))
                if not header.base_offset <= offset < header.next_offset:
                    yield f"{log.name}: offset {offset} is answered with {header.base_offset}"
                    break
                offset = header.next_offset

    def stale_disks(self, topology: Topology, tasks: Iterable[TaskSpec], disks: Disks) -> Iterator[str]:
        """Local stores are what their changelogs say, up to the offset that they note."""
        for folder, disk in disks.by_folder.items():
            spec = next((each for each in tasks if str(each.id) == folder.parent.name), None)
            if spec is None or not folder.exists():
                continue
            stores = {store.name: store for store in topology.subtopology(spec.id.subtopology).stores}
            for changelog, name in spec.changelogs.items():
                store = stores[name]
                if store.kind != "keyvalue" or name not in disk.at:
                    continue
                expected, later = self._told(changelog, store, disk.at[name])
                found = disk.disks[name].rows
                stale = {key: value for key, value in found.items() if expected.get(key) != value}
                # Compaction lets go of what is told again later, and a mark of a transaction may not be counted yet.
                wrong = [
                    key
                    for key in stale.keys() | (expected.keys() - found.keys())
                    if key not in later or (key in expected and later[key] != found.get(key))
                ]
                if wrong:
                    yield f"{folder} has {found} of {name}, its changelog up to {disk.at[name]} says {expected}"

    def _told(
        self, changelog: TopicPartition, store: StoreSpec, end: int
    ) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
        """The rows that a changelog makes up to an offset, and those of what follows."""
        fresh, rest = MemoryTaskDisk([store.name]), MemoryTaskDisk([store.name])
        for disk, span in ((fresh, (0, end)), (rest, (end, ALL_BYTES))):
            local = LocalStores(disk, None)
            local.open(store, changelog.topic)
            for batch in batches(self._server, changelog):
                local.restore(store.name, between(batch, *span))
        return fresh.disks[store.name].rows, rest.disks[store.name].rows
