"""Where Kafka is required, no test that needs it may be skipped unseen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

RAN = "import pytest\n@pytest.mark.kafka\ndef test_ran(): pass\n"
SKIPPED = "import pytest\n@pytest.mark.kafka\ndef test_skipped(): pytest.skip('no reason')\n"
MODULE_SKIPPED = "import pytest\npytest.skip('no reason', allow_module_level=True)\n"
PLAIN = "import pytest\ndef test_plain(): pytest.skip('not about Kafka')\n"


def session(folder: Path, source: str, *more: str, required: bool, path: str | None = None) -> tuple[int, str]:
    """Exit status and output of pytest on one module."""
    (folder / "test_module.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    kafka\n    kcat\n    shared\n")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "MILLSTREAM_REQUIRE_KAFKA": "1" if required else "0",
        "PATH": os.environ["PATH"] if path is None else path,
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.required",
        "-p",
        "no:cacheprovider",
        "-rs",
        *more,
        str(folder),
    ]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def test_a_session_whose_required_tests_ran_passes(tmp_path: Path) -> None:
    status, output = session(tmp_path, RAN, required=True)
    assert (status, "1 passed" in output) == (0, True)


def test_it_is_the_same_in_several_processes(tmp_path: Path) -> None:
    assert session(tmp_path, RAN, "-n", "2", required=True)[0] == 0
    status, output = session(tmp_path, RAN + SKIPPED, "-n", "2", required=True)
    assert (status, "but skipped: test_module.py::test_skipped" in output) == (1, True)
    assert session(tmp_path, PLAIN, "-n", "2", required=True)[0] == 1


@pytest.mark.parametrize("skipping", [RAN + SKIPPED, MODULE_SKIPPED], ids=["a test", "a whole module"])
def test_a_skip_fails_the_session_and_is_named(tmp_path: Path, skipping: str) -> None:
    status, output = session(tmp_path, skipping, required=True)
    assert status == 1
    assert "MILLSTREAM_REQUIRE_KAFKA=1, but skipped: test_module.py" in output


def test_a_session_without_any_test_that_needs_kafka_fails(tmp_path: Path) -> None:
    status, output = session(tmp_path, PLAIN, required=True)
    assert (status, "no test that needs Kafka ran" in output) == (1, True)


def test_elsewhere_a_skip_is_only_shown(tmp_path: Path) -> None:
    status, output = session(tmp_path, RAN + SKIPPED, required=False)
    assert (status, "no reason" in output) == (0, True)


def test_without_kcat_its_tests_say_what_they_need(tmp_path: Path) -> None:
    wants_kcat = RAN + "@pytest.mark.kcat\ndef test_kcat(): pass\n"
    status, output = session(tmp_path, wants_kcat, required=False, path=str(tmp_path))
    assert (status, "needs kcat" in output) == (0, True)
    status, output = session(tmp_path, wants_kcat, required=True, path=str(tmp_path))
    assert (status, "skipped: test_module.py::test_kcat" in output) == (1, True)
