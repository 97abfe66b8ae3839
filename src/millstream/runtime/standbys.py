"""The standby copies of one worker: which there are, opened and closed, read a little in each turn."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator
from dataclasses import dataclass

from millstream.client.contract import OUT_OF_RANGE, DataConsumer, GroupMetadata, GroupView, PartitionFailure
from millstream.errors import KafkaError, MillstreamError
from millstream.model import TopicPartition
from millstream.runtime.held import HeldTask
from millstream.runtime.opening import Opening, Surroundings
from millstream.runtime.placement import places
from millstream.runtime.standby import Standby
from millstream.runtime.status import StandbyStatus

LOG = logging.getLogger("millstream.runtime")

LOOK_MS = 500
RETRY_MS = 500
CHUNK_ROWS = 1_000
BUSY_CHUNKS, IDLE_CHUNKS = 2, 20
BUSY_MS, IDLE_MS = 5, 50


@dataclass(frozen=True, slots=True)
class Reading:
    """What standbys are read and placed with, beside what tasks have."""

    data: DataConsumer  # a `strict` one, which nobody else reads with
    view: GroupView


class Standbys:
    """Keeps what `places` gives to this worker. Nothing of it fails the worker: a copy that fails is given up."""

    def __init__(self, surroundings: Surroundings, opening: Opening, reading: Reading) -> None:
        self._in = surroundings
        self._opening = opening
        self._data = reading.data
        self._view = reading.view
        specs = surroundings.table.tasks
        self._with_state = [task for task, spec in specs.items() if spec.changelogs]
        self._in_folders = frozenset(task for task, spec in specs.items() if opening.on_disk(spec.id.subtopology))
        self._wanted: dict[TopicPartition, int] = {}
        self._kept: dict[TopicPartition, Standby] = {}
        self._by_source: dict[TopicPartition, Standby] = {}
        self._given_up: set[TopicPartition] = set()
        self._placed_for: GroupMetadata | None = None  # the generation that `_wanted` follows from
        self._asked_for: GroupMetadata | None = None
        self._look_at_ms = float("-inf")
        self._open_at_ms = float("-inf")
        self.busy = False  # there may be more to read at once

    def __iter__(self) -> Iterator[Standby]:
        return iter(self._kept.values())

    def turn(self, held: Container[TopicPartition], *, worked: bool) -> None:
        """Look whether the group has gone on, open or close a copy, read on: less where tasks have work."""
        self._look()
        self._follow(held)
        self._read(worked=worked)

    def give(self, task: TopicPartition) -> HeldTask | None:
        """The copy of a task that this worker is given, if it has one: no standby any more."""
        standby = self._kept.pop(task, None)
        if standby is None:
            return None
        self._stop_reading(standby)
        LOG.info("task %s: goes on from this worker's standby copy", standby.held.spec.id)
        return standby.taken_over()

    def statuses(self) -> tuple[StandbyStatus, ...]:
        return tuple(
            StandbyStatus(
                str(each.held.spec.id),
                each.held.partition.partition,
                each.rank,
                each.lag({source: self._data.known_end(source) for source in each.positions}),
                each.rows,
            )
            for each in self
        )

    def close(self) -> None:
        for task in list(self._kept):
            self._close(task)

    # --- which there are

    def _look(self) -> None:
        """A new generation of the group may mean other places."""
        group, now_ms = self._in.membership.group_metadata(), self._in.clock.monotonic_ms()
        if group is None or group == self._placed_for:
            return
        members = self._view.members()
        me = self._in.membership.member_id()
        if members is not None and self._asked_for == group and me in [member.id for member in members]:
            found = places(members, self._in.settings.num_standby_replicas, self._with_state, self._in_folders)
            self._wanted = {task: at.index(me) for task, at in found.items() if me in at}
            self._given_up.clear()
            self._placed_for = group
        elif now_ms >= self._look_at_ms:
            self._look_at_ms, self._asked_for = now_ms + LOOK_MS, group
            self._view.ask()

    def _follow(self, held: Container[TopicPartition]) -> None:
        for task, standby in list(self._kept.items()):
            if task in self._wanted:
                standby.rank = self._wanted[task]
            else:
                LOG.info("task %s: no standby copy is kept here any more", standby.held.spec.id)
                self._close(task)
        now_ms = self._in.clock.monotonic_ms()
        if now_ms < self._open_at_ms:
            return
        for task in self._wanted:
            if task not in self._kept and task not in held and task not in self._given_up:
                if not self._open(task):
                    self._open_at_ms = now_ms + RETRY_MS
                    continue
                return  # one in a turn, because tasks wait meanwhile

    def _open(self, task: TopicPartition) -> bool:
        """Whether the copy is there now, or never will be."""
        standby = Standby(HeldTask(self._in.table.task_of(task), task), self._wanted[task])
        try:
            if not self._opening.may_copy(standby.held):
                return False
            copied = self._opening.copy(standby.held)
            standby.positions, standby.renew_at = copied.positions, copied.renew_after
            self._data.assign(standby.positions)
        except MillstreamError as error:
            standby.close()
            if isinstance(error, KafkaError) and error.retriable:
                LOG.warning("task %s: its standby copy is not opened: %s; trying again", standby.held.spec.id, error)
                return False
            self._give_up(standby, error)
            return True
        self._kept[task] = standby
        self._by_source |= dict.fromkeys(standby.positions, standby)
        LOG.info("task %s: a standby copy is kept here", standby.held.spec.id)
        return True

    def _give_up(self, standby: Standby, error: MillstreamError) -> None:
        self._given_up.add(standby.held.partition)
        LOG.warning("task %s: its standby copy is given up: %s", standby.held.spec.id, error)

    def _close(self, task: TopicPartition) -> None:
        standby = self._kept.pop(task)
        self._stop_reading(standby)
        try:
            standby.close()
        except MillstreamError as error:
            LOG.warning("task %s: closing its standby copy: %s", standby.held.spec.id, error)

    def _renew(self, standby: Standby) -> None:
        """Begin a copy anew that has outgrown its changelogs."""
        LOG.info("task %s: its standby copy begins anew, without what is forgotten by now", standby.held.spec.id)
        try:
            self._opening.empty(standby.held)
        except MillstreamError as error:
            LOG.warning("task %s: its standby copy goes on as it is: %s", standby.held.spec.id, error)
            standby.renew_at = 2 * standby.rows
        else:
            self._close(standby.held.partition)

    def _stop_reading(self, standby: Standby) -> None:
        for source in standby.positions:
            self._by_source.pop(source, None)
        self._data.unassign(standby.positions)

    # --- what they read

    def _read(self, *, worked: bool) -> None:
        self.busy = False
        if not self._kept:
            return
        for outgrown in [standby for standby in self if standby.outgrown]:
            self._renew(outgrown)
        until_ms = self._in.clock.monotonic_ms() + (BUSY_MS if worked else IDLE_MS)
        for _ in range(BUSY_CHUNKS if worked else IDLE_CHUNKS):
            fetched = self._data.poll(max_records=CHUNK_ROWS, timeout_ms=0)
            for batch in fetched.batches:
                standby = self._by_source.get(batch.source)
                try:
                    if standby is not None:
                        standby.take(batch)
                except MillstreamError as error:
                    assert standby is not None
                    self._close(standby.held.partition)
                    self._give_up(standby, error)
            for end in fetched.ends:
                if (standby := self._by_source.get(end.source)) is not None:
                    standby.ended(end.source, end.offset)
            for failure in fetched.failures:
                self._bear(failure)
            self.busy |= bool(fetched.batches)
            if not fetched.batches or self._in.clock.monotonic_ms() > until_ms:
                return

    def _bear(self, failure: PartitionFailure) -> None:
        standby = self._by_source.get(failure.source) if failure.source is not None else None
        if standby is None or failure.error.retriable:
            LOG.debug("standby copies: %s; trying again", failure.error)
            return
        self._close(standby.held.partition)
        if failure.error.code != OUT_OF_RANGE:
            self._give_up(standby, failure.error)
            return
        LOG.warning(
            "task %s: its standby copy has %s up to offset %d, from where it cannot be read any more: it was "
            "truncated, made anew, or its retention has gone past that; the copy begins anew",
            standby.held.spec.id,
            failure.source,
            standby.positions[failure.source] if failure.source is not None else -1,
        )
