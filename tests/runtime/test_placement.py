"""Where standby copies are kept (rule X8)."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from millstream.client.contract import Member
from millstream.model import TopicPartition
from millstream.runtime.placement import client_name, places, successors

TASKS = [TopicPartition("app-tasks", number) for number in range(12)]


def group(*owned: list[int], homes: str = "") -> list[Member]:
    """Members m0, m1, ..; `homes` has a letter for the state folder of each."""
    return [
        Member(
            f"m{number}",
            client_name("app", homes[number]) if homes else "app",
            frozenset(TASKS[each] for each in tasks),
        )
        for number, tasks in enumerate(owned)
    ]


def placed(members: list[Member], replicas: int, in_folders=()) -> dict[int, tuple[str, ...]]:
    return {task.partition: at for task, at in places(members, replicas, TASKS, in_folders).items()}


def test_a_lone_worker_keeps_no_copies():
    assert placed(group([0, 1, 2]), 1) == {0: (), 1: (), 2: ()}


def test_of_two_workers_each_keeps_what_the_other_has():
    assert placed(group([0, 2], [1, 3]), 1) == {0: ("m1",), 2: ("m1",), 1: ("m0",), 3: ("m0",)}


def test_more_replicas_than_other_workers_are_as_many_as_there_are():
    found = placed(group([0], [1], [2]), 5)
    assert {task: set(at) for task, at in found.items()} == {0: {"m1", "m2"}, 1: {"m0", "m2"}, 2: {"m0", "m1"}}


def test_a_second_copy_is_where_the_task_goes_when_owner_and_first_successor_are_gone():
    members = group([0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11])
    owned = {member.id: member.partitions for member in members}
    for task, (first, second) in placed(members, 2).items():
        owner = next(member.id for member in members if TASKS[task] in member.partitions)
        assert successors(owned, frozenset({owner}))[TASKS[task]] == first
        assert successors(owned, frozenset({owner, first}))[TASKS[task]] == second


def test_workers_that_share_a_folder_keep_no_copies_of_each_others_files():
    members = group([0], [1], [2], [3], homes="aabb")
    assert placed(members, 1, TASKS) == {0: ("m3",), 1: ("m2",), 2: ("m0",), 3: ("m0",)}
    assert placed(members, 2, TASKS)[0] == ("m3",), "m2 and m3 would need the same folder"
    assert placed(members, 1) == {0: ("m1",), 1: ("m0",), 2: ("m0",), 3: ("m0",)}, "in memory each needs its own"


def test_tasks_without_state_have_no_copies():
    assert places(group([0], [1]), 1, [TASKS[1]], ()) == {TASKS[1]: ("m0",)}


@given(st.lists(st.integers(0, 4), min_size=12, max_size=12), st.integers(1, 4), st.text("ab", min_size=5, max_size=5))
def test_copies_are_on_other_workers_each_once_and_the_same_whoever_computes_them(owners, replicas, homes):
    members = group(*[[task for task in range(12) if owners[task] == number] for number in range(5)], homes=homes)
    found = places(members, replicas, TASKS, TASKS[:6])
    assert found == places(list(reversed(members)), replicas, TASKS, TASKS[:6])
    for task, at in found.items():
        owner = f"m{owners[task.partition]}"
        assert owner not in at and len(set(at)) == len(at)
        if task not in TASKS[:6]:
            assert len(at) == min(replicas, 4)
        else:
            of_homes = Counter(homes[int(member[1])] for member in (owner, *at))
            assert max(of_homes.values()) == 1 and len(at) == min(replicas, len(set(homes)) - 1)
