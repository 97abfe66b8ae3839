"""The orders of Java's collections, against what Java gave."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millstream.plan.java_order import TreeOrder, hash_order


def numbers(names: list[str]) -> list[int]:
    return [int(name[-2:]) for name in names]


def test_a_hash_set() -> None:
    """A table of 16 buckets, and of 32 from the thirteenth name on: as Java 17 printed them."""
    names = [f"KSTREAM-FILTER-{number:010d}" for number in range(14)]
    assert numbers(hash_order(names[:12])) == [7, 8, 5, 6, 9, 10, 0, 11, 3, 4, 1, 2]
    assert numbers(hash_order(names)) == [7, 8, 5, 6, 9, 10, 0, 11, 3, 4, 1, 12, 2, 13]


def test_names_of_one_bucket_stand_in_the_order_in_which_they_came() -> None:
    assert hash_order(["Aa", "BB"]) == ["Aa", "BB"]
    assert hash_order(["BB", "Aa"]) == ["BB", "Aa"]


@given(st.lists(st.text("abcdefgh", max_size=4), max_size=60))
def test_a_tree_whose_comparator_is_true_to_itself_is_sorted(names: list[str]) -> None:
    order = TreeOrder(lambda one, other: (one > other) - (one < other))
    for name in names:
        order.add(name)
    assert list(order) == sorted(set(names))


def test_a_tree_whose_comparator_changed_its_mind() -> None:
    """Java's own answer for the sizes below, which double at each step."""
    sizes = dict.fromkeys("abcdefgh", 1)

    def larger_first(one: str, other: str) -> int:
        return (sizes[other] - sizes[one]) or (one > other) - (one < other)

    order = TreeOrder(larger_first)
    for step, name in enumerate("dbhfaceg"):
        order.add(name)
        sizes[name] += 2**step
    assert list(order) == ["d", "b", "h", "f", "a", "c", "e", "g"]
