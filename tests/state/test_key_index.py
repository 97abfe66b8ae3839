"""The index of a store in memory, against sorting all of its keys at each walk."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.state import key_index
from millstream.state.key_index import KeyIndex

KEYS = st.integers(0, 40).map(lambda number: f"{number:b}")


@settings(max_examples=150, deadline=None)
@given(
    st.sets(KEYS),
    st.lists(st.tuples(st.booleans(), KEYS), max_size=60),
    st.lists(st.tuples(KEYS, st.none() | KEYS, st.booleans()), min_size=1, max_size=8),
    st.integers(2, 6),
)
def test_as_sorted_at_each_walk(
    first: set[str], changes: list[tuple[bool, str]], walks: list[tuple[str, str | None, bool]], full: int
) -> None:
    rows = dict.fromkeys(first, 0)
    was, key_index.FULL = key_index.FULL, full
    try:
        index = KeyIndex(str.encode, rows)
        for turn, walk in enumerate(walks):
            for add, key in changes[turn :: len(walks)]:
                if add:
                    rows[key] = 0
                else:
                    rows.pop(key, None)
                index.changed((key,))
            low, high, reverse = walk[0].encode(), None if walk[1] is None else walk[1].encode(), walk[2]
            expected = sorted(
                (key for key in rows if low <= key.encode() and (high is None or key.encode() < high)), reverse=reverse
            )
            assert [key for _, key in index.scan(low, high, reverse=reverse)] == expected
    finally:
        key_index.FULL = was


def test_a_walk_sees_the_keys_of_its_beginning() -> None:
    rows = dict.fromkeys("abc", 0)
    index = KeyIndex(str.encode, rows)
    walk = index.scan(b"", None)
    assert next(walk)[1] == "a"
    del rows["b"]
    rows["bb"] = 0
    index.changed(["b", "bb"])
    assert [key for _, key in index.scan(b"", None)] == ["a", "bb", "c"]
    assert [key for _, key in walk] == ["b", "c"]


def test_only_changed_keys_are_encoded_again() -> None:
    encoded: list[str] = []

    def encode(key: str) -> bytes:
        encoded.append(key)
        return key.encode()

    rows = dict.fromkeys((f"{number:04}" for number in range(1000)), 0)
    index = KeyIndex(encode, rows)
    list(index.scan(b"", None))
    encoded.clear()
    rows["new"] = 0
    index.changed(["new", "0001"])
    assert len(list(index.scan(b"", None))) == 1001
    assert encoded == ["new", "0001"]
