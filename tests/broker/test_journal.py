"""The journal: last values survive, torn ends do not hurt, history is thrown away."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millstream.broker.journal import Journal


def reopened(path: Path) -> dict[str, object]:
    journal = Journal(path)
    try:
        return dict(journal.items())
    finally:
        journal.close()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    puts=st.lists(st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(), min_size=1), max_size=8),
    cut=st.integers(0, 40),
)
def test_every_whole_put_survives_a_torn_end(tmp_path: Path, puts: list[dict[str, int | None]], cut: int) -> None:
    path = tmp_path / "journal"
    path.unlink(missing_ok=True)
    journal = Journal(path)
    states: list[dict[str, int]] = [{}]
    sizes = [0]
    for put in puts:
        journal.put(put)
        states.append({key: value for key, value in {**states[-1], **put}.items() if value is not None})
        sizes.append(path.stat().st_size)
    journal.close()
    length = max(0, sizes[-1] - cut)
    path.write_bytes(path.read_bytes()[:length])
    whole = max(index for index, size in enumerate(sizes) if size <= length)
    assert reopened(path) == states[whole]
    assert path.stat().st_size == sizes[whole]


def test_a_damaged_put_ends_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.put({"a": 1})
    size = path.stat().st_size
    journal.put({"b": 2})
    journal.close()
    raw = bytearray(path.read_bytes())
    raw[size + 9] ^= 4
    path.write_bytes(raw)
    assert reopened(path) == {"a": 1}


@pytest.mark.parametrize("durable", [True, False])
def test_history_is_thrown_away(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "journal" if durable else None
    journal = Journal(path)
    for index in range(3000):
        journal.put({"key": [index, "x" * 1000], f"other-{index % 10}": index})
    assert journal.get("key")[0] == 2999
    journal.close()
    if path is not None:
        assert path.stat().st_size < 1_200_000
        assert len(reopened(path)) == 11


def test_a_failed_put_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "journal")
    journal.put({"a": 1})

    def disk_full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("millstream.broker.log.blob.os.pwritev", disk_full)
        with pytest.raises(OSError, match="No space"):
            journal.put({"a": 2})
    assert journal.get("a") == 1
    journal.close()
