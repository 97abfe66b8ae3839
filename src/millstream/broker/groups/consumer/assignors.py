"""Assignors: which member of a group is to have which partitions. Pure, and the same for the same input.

Rules: KIP-848's assignors `uniform` (even over all partitions, and sticky) and `range` (neighbours, topic by topic).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

Partitions = frozenset[tuple[UUID, int]]
"""Topics by their ids, since a topic that is made again is another one."""


class Wish(NamedTuple):
    """What a member is subscribed to, and what it was to have before. `order` is what `range` sorts members by."""

    topics: frozenset[UUID]
    before: Partitions
    order: str


Assignor = Callable[[Mapping[str, Wish], Mapping[UUID, int]], dict[str, Partitions]]
"""From members' wishes and topics' numbers of partitions to each member's partitions."""


def uniform(wishes: Mapping[str, Wish], topics: Mapping[UUID, int]) -> dict[str, Partitions]:
    """As even as the subscriptions allow, with as few partitions moved as that takes.

    >>> topic = UUID(int=1)
    >>> alone = uniform({"a": Wish(frozenset([topic]), frozenset(), "a")}, {topic: 4})
    >>> both = {name: Wish(frozenset([topic]), alone.get(name, frozenset()), name) for name in "ab"}
    >>> [sorted(index for _, index in mine) for mine in uniform(both, {topic: 4}).values()]
    [[0, 1], [2, 3]]
    """
    given: dict[str, set[tuple[UUID, int]]] = {name: set() for name in wishes}
    subscribers = {topic: sorted(name for name in wishes if topic in wishes[name].topics) for topic in topics}
    taken: set[tuple[UUID, int]] = set()
    for name in sorted(wishes):
        wish = wishes[name]
        for partition in wish.before - taken:
            topic, index = partition
            if topic in wish.topics and index < topics.get(topic, 0):
                given[name].add(partition)
                taken.add(partition)
    for topic in sorted(topics, key=lambda each: (len(subscribers[each]), each.int)):
        for index in range(topics[topic]):
            if (topic, index) not in taken and subscribers[topic]:
                least = min(subscribers[topic], key=lambda name: len(given[name]))
                given[least].add((topic, index))
    while _level(given, subscribers):
        pass
    return {name: frozenset(mine) for name, mine in given.items()}


def _level(given: dict[str, set[tuple[UUID, int]]], subscribers: Mapping[UUID, list[str]]) -> bool:
    """Move partitions from those who have more to those who have at least two less; whether any was moved."""
    moved = False
    for name in sorted(given, key=lambda each: -len(given[each])):
        for partition in sorted(given[name], reverse=True):
            least = min(subscribers[partition[0]], key=lambda each: len(given[each]))
            if len(given[least]) + 1 < len(given[name]):
                given[name].remove(partition)
                given[least].add(partition)
                moved = True
    return moved


def range_of_each(wishes: Mapping[str, Wish], topics: Mapping[UUID, int]) -> dict[str, Partitions]:
    """Neighbouring partitions of each topic, in the members' order: topics with as many partitions are cut alike."""
    given: dict[str, set[tuple[UUID, int]]] = {name: set() for name in wishes}
    for topic, count in topics.items():
        members = sorted((name for name in wishes if topic in wishes[name].topics), key=lambda name: wishes[name].order)
        for place, name in enumerate(members):
            share, more = divmod(count, len(members))
            first = place * share + min(place, more)
            end = first + share + (place < more)
            given[name] |= {(topic, index) for index in range(first, end)}
    return {name: frozenset(mine) for name, mine in given.items()}


ASSIGNORS: Mapping[str, Assignor] = MappingProxyType({"uniform": uniform, "range": range_of_each})
DEFAULT_ASSIGNOR = "uniform"
