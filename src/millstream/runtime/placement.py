"""Where standby copies are kept: with the worker that would be given the task if its owner ended.

The group's assignor decides who that is, and can't be told otherwise. But it is a function of what everybody sees of
the group, so each worker computes what it would do, and copies of tasks are where their tasks would go. A guess that
proves wrong costs a cold start, and nothing else.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache, partial

from millstream.client.contract import Member
from millstream.model import TopicPartition

Tasks = frozenset[TopicPartition]
After = Callable[[frozenset[str]], Mapping[TopicPartition, str]]


def successors(owned: Mapping[str, Tasks], gone: frozenset[str]) -> dict[TopicPartition, str]:
    """Who would be given the tasks of members that are gone, as librdkafka's cooperative-sticky assignor does it.

    The last partition comes first, and goes to the member that has the fewest then; of several to the first by its id.

    >>> a, b, c, d = (TopicPartition("tasks", number) for number in range(4))
    >>> owned = {"x": frozenset({a, b}), "y": frozenset({c}), "z": frozenset({d})}
    >>> {task.partition: member for task, member in successors(owned, frozenset({"x"})).items()}
    {1: 'y', 0: 'z'}
    """
    loads = [(len(tasks), member) for member, tasks in owned.items() if member not in gone]
    if not loads:
        return {}
    heapq.heapify(loads)
    given: dict[TopicPartition, str] = {}
    for task in sorted((task for member in gone for task in owned[member]), reverse=True):
        count, member = loads[0]
        given[task] = member
        heapq.heapreplace(loads, (count + 1, member))
    return given


def places(
    members: Sequence[Member], replicas: int, tasks: Collection[TopicPartition], in_folders: Collection[TopicPartition]
) -> dict[TopicPartition, tuple[str, ...]]:
    """The members that keep copies of each of these tasks, the first successor first.

    Tasks `in_folders` have files, which workers with the same state folder share: they need no copies of each other's.

    >>> a, b = TopicPartition("tasks", 0), TopicPartition("tasks", 1)
    >>> found = places([Member("x", "", frozenset({a})), Member("y", "", frozenset({b}))], 1, [a, b], [])
    >>> {task.partition: standbys for task, standbys in found.items()}
    {0: ('y',), 1: ('x',)}
    """
    owned = {member.id: member.partitions for member in members}
    homes = {member.id: home_in(member.client) or member.id for member in members}
    after: After = cache(partial(successors, owned))
    found: dict[TopicPartition, tuple[str, ...]] = {}
    for owner, held in owned.items():
        for task in held.intersection(tasks):
            full = {homes[owner]} if task in in_folders else set[str]()
            standbys: list[str] = []
            for member in _line(task, owner, after, len(owned)):
                if len(standbys) == replicas:
                    break
                if homes[member] not in full:
                    standbys.append(member)
                    if task in in_folders:
                        full.add(homes[member])
            found[task] = tuple(standbys)
    return found


def _line(task: TopicPartition, owner: str, after: After, most: int) -> Iterator[str]:
    """Who has the task when its owner is gone, who when that one is gone too, and so on."""
    gone = frozenset({owner})
    while len(gone) < most:
        member = after(gone)[task]
        yield member
        gone |= {member}


def client_name(application_id: str, home: str) -> str:
    """What a member is called, so that the others know with whom it shares its state folder.

    >>> home_in(client_name("qos", "7f")), home_in("qos")
    ('7f', None)
    """
    return f"{application_id}@{home}"


def home_in(client: str) -> str | None:
    _, at, home = client.rpartition("@")
    return home if at else None
