"""Places in partitions, and the offsets that they are now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from confluent_kafka import TopicPartition as RdTopicPartition
from confluent_kafka.admin._listoffsets import EarliestSpec, LatestSpec, OffsetSpec, TimestampSpec

from millstream.client.cluster.answers import Caller
from millstream.model import TopicPartition

Kind: TypeAlias = Literal["beginning", "end", "offset", "time", "shift"]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a partition: its beginning or end, an offset, the first record at or after a time (ms since the
    epoch), or so many records on from where a group is (`shift`; negative is back).
    """

    kind: Kind
    value: int = 0


class Positions:
    """Looks up what positions are as offsets."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def bounds(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """The first offset and the end offset of each partition."""
        wanted = list(partitions)
        first = self._offsets(dict.fromkeys(wanted, EarliestSpec()))  # type: ignore[no-untyped-call]
        end = self._offsets(dict.fromkeys(wanted, LatestSpec()))  # type: ignore[no-untyped-call]
        return {each: (first[each], end[each]) for each in wanted}

    def resolve(
        self,
        position: Position,
        bounds: Mapping[TopicPartition, tuple[int, int]],
        current: Mapping[TopicPartition, int] | None = None,
    ) -> dict[TopicPartition, int]:
        """The offset in each partition of `bounds`, kept within them. After the last record of a time: the end.

        `shift` counts from `current`; a partition without one is left out.
        """
        match position.kind:
            case "beginning":
                return {each: first for each, (first, _) in bounds.items()}
            case "end":
                return {each: end for each, (_, end) in bounds.items()}
            case "offset":
                return {each: _within(position.value, span) for each, span in bounds.items()}
            case "shift":
                known = current or {}
                return {each: _within(known[each] + position.value, bounds[each]) for each in bounds if each in known}
            case "time":
                found = self._offsets(dict.fromkeys(bounds, TimestampSpec(position.value)))
                return {each: bounds[each][1] if at < 0 else at for each, at in found.items()}

    def _offsets(self, specs: Mapping[TopicPartition, OffsetSpec]) -> dict[TopicPartition, int]:
        if not specs:
            return {}
        asked = {RdTopicPartition(*each): spec for each, spec in specs.items()}
        futures = self._caller.admin.list_offsets(asked, request_timeout=self._caller.timeout_s)
        found = self._caller.answers(futures, "looking up offsets of")
        return {TopicPartition(each.topic, each.partition): info.offset for each, info in found.items()}


def _within(offset: int, span: tuple[int, int]) -> int:
    return max(span[0], min(offset, span[1]))
