"""Where a store is kept: as the application says, or as its name does."""

from __future__ import annotations

import pytest

import millstream as ms
from millstream.engine import stores_on_disk
from millstream.errors import TopologyError
from millstream.plan.fingerprint import fingerprint


class Nothing:
    def process(self, record: ms.Message) -> None: ...


def program(table: str, counts: str, own: str, joined: str) -> ms.App:
    app = ms.App("app")
    lines = app.stream("in", value=str)
    app.table("rows", value=str, store=table)
    lines.group_by_key().count(store=counts)
    lines.process(Nothing, stores=[ms.key_value_store(own, value=int)])
    lines.left_join(lines.filter(lambda v: True), lambda a, b: a, window=ms.join_window("5s"), store=joined)
    return app


def kept(app: ms.App) -> dict[str, str | None]:
    return {store.name: store.store_type for sub in app.topology().subtopologies for store in sub.stores}


def test_a_name_tells_where_its_store_is_kept() -> None:
    app = program(ms.in_rocksdb("t"), "c", ms.in_memory("o"), ms.in_rocksdb("j"))
    assert kept(app) == {
        "t": "rocksdb",
        "c": None,
        "o": "memory",
        "j-this-join-store": "rocksdb",
        "j-outer-other-join-store": "rocksdb",
        "j-left-shared-join-store": "rocksdb",
    }
    assert all(type(name) is str for name in kept(app))


def test_the_applications_default_is_for_the_others() -> None:
    topology = program(ms.in_rocksdb("t"), "c", ms.in_memory("o"), "j").topology()
    stores = [store for sub in topology.subtopologies for store in sub.stores]
    assert "t" in stores_on_disk(stores, "memory")
    assert "c" not in stores_on_disk(stores, "memory")
    assert {"t", "c"} <= set(stores_on_disk(stores, "rocksdb"))
    assert "o" not in stores_on_disk(stores, "rocksdb")


def test_the_plan_is_the_same_wherever_stores_are_kept() -> None:
    """So that it may be changed between two releases: the changelog is what counts."""
    names = ("t", "c", "o", "j")
    plans = {fingerprint(program(*map(where, names)).topology()) for where in (str, ms.in_memory, ms.in_rocksdb)}
    assert len(plans) == 1


def test_a_global_table_cannot_be_on_disk() -> None:
    app = ms.App("app")
    app.global_table("g", value=str, store=ms.in_memory("m"))
    with pytest.raises(TopologyError, match=r"test_stores.py:\d+.*global tables are kept in memory"):
        app.global_table("h", value=str, store=ms.in_rocksdb("d"))


def test_a_store_without_a_changelog_cannot_be_on_disk() -> None:
    app = ms.App("app")
    stores = [ms.key_value_store(ms.in_rocksdb("s"), value=int, logged=False)]
    with pytest.raises(TopologyError, match=r"test_stores.py:\d+.*'s' has no changelog"):
        app.stream("in", value=str).process(Nothing, stores=stores)
    free = ms.key_value_store("s", value=int, logged=False)
    assert stores_on_disk([free], "rocksdb") == []
