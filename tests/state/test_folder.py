"""The folder of a task: one at a time, and nothing is deleted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from millstream.state.folder import TaskFolder

HOLD = """
import sys
from pathlib import Path
from millstream.state.folder import TaskFolder
assert TaskFolder(Path(sys.argv[1])).lock()
print("locked", flush=True)
sys.stdin.read()
"""


def test_one_has_the_lock_until_it_releases_it(tmp_path: Path) -> None:
    first, second = TaskFolder(tmp_path / "0_0"), TaskFolder(tmp_path / "0_0")
    assert first.lock()
    assert first.lock(), "again by the same one"
    assert not second.lock()
    assert TaskFolder(tmp_path / "0_1").lock(), "another task's is another"
    first.release()
    assert second.lock()
    assert not first.lock()
    second.release()
    second.release()


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    folder = TaskFolder(tmp_path / "0_0")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        assert not folder.lock()
        process.kill()
        process.wait()
        assert folder.lock()
    folder.release()


def test_what_is_set_aside_is_kept(tmp_path: Path) -> None:
    folder = TaskFolder(tmp_path / "0_0")
    for number in (1, 2):
        folder.database.mkdir(parents=True)
        (folder.database / "rows").write_text(str(number))
        assert folder.set_aside() == folder.path / f"db.aside-{number}"
        assert not folder.database.exists()
    assert [(folder.path / f"db.aside-{number}" / "rows").read_text() for number in (1, 2)] == ["1", "2"]
