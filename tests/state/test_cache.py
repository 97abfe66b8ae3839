"""The cache over a disk: generations, sizes, and the budget that stores share."""

from __future__ import annotations

from millstream.state.cache import ROW_BYTES, CacheBudget, RowCache


def cache_of(loads: list[str]) -> RowCache[str, str]:
    def load(key: str) -> tuple[str | None, int]:
        loads.append(key)
        return (None, 1) if key == "none" else (key, 100)

    return RowCache(load)


def test_what_is_in_use_stays() -> None:
    loads: list[str] = []
    cache = cache_of(loads)
    for key in ("a", "b", "none"):
        cache[key]
    cache.evict(())
    assert cache["a"] == "a"  # comes back into the younger generation
    assert cache["none"] is None
    cache.evict(())
    assert (cache["a"], cache["none"]) == ("a", None)
    assert loads == ["a", "b", "none"]
    assert cache["b"] == "b"
    assert loads == ["a", "b", "none", "b"]


def test_bytes_are_those_of_both_generations() -> None:
    cache = cache_of([])
    assert cache.bytes == 0
    cache["a"], cache["b"]
    assert cache.bytes == 2 * (100 + ROW_BYTES)
    cache["new"] = "not encoded yet"
    assert cache.bytes == 3 * (100 + ROW_BYTES), "as the average row"
    cache.sized("new", 400)
    assert cache.bytes == 600 + 3 * ROW_BYTES
    cache.evict(["a"])
    assert cache.bytes == 600 + 3 * ROW_BYTES
    cache["b"]
    assert cache.bytes == 600 + 3 * ROW_BYTES
    cache.evict(())
    assert cache.bytes == 200 + 2 * ROW_BYTES, "the older generation is gone"
    cache.evict(())
    assert cache.bytes == 0


class Store:
    def __init__(self, clean: list[int], dirty: int) -> None:
        self.clean = clean  # by generation, the older one first
        self.dirty_bytes = dirty

    @property
    def cached_bytes(self) -> int:
        return sum(self.clean) + self.dirty_bytes

    def evict(self) -> None:
        self.clean = [*self.clean[1:], 0]


def test_the_largest_stores_give_first_and_only_as_much_as_needed() -> None:
    budget = CacheBudget(100)
    large, small = Store([30, 60], 5), Store([10, 10], 0)
    budget.add(large)
    budget.add(small)
    budget.relieve()
    assert (large.clean, small.clean, budget.wanted) == ([60, 0], [10, 10], False)
    assert budget.bytes == large.cached_bytes + small.cached_bytes
    budget.relieve()
    assert small.clean == [10, 10]


def test_dirty_rows_ask_for_a_commit_when_they_take_more_than_half() -> None:
    budget = CacheBudget(100)
    store = Store([10, 10], 90)
    budget.add(store)
    budget.relieve()
    assert (store.clean, budget.wanted) == ([10, 0], True)
    store.dirty_bytes = 0
    budget.relieve()
    assert not budget.wanted
    budget.remove(store)
    budget.relieve()
