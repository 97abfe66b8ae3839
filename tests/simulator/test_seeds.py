"""Seeds of the simulator: none may fail, one replays exactly, and each planted bug is found by one of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.simulator.bugs import BUGS

PER_RUN = 250
QUICK = int(os.environ.get("SIMULATOR_SEEDS", 2 * PER_RUN))  # CI asks for 2,000
FIRST_LATER, NIGHTLY, PER_LONG_RUN = 2_000, 20_000, 1_000
FOR_BUGS = 300


def run(*arguments: str, timeout_s: int = 1_800) -> subprocess.CompletedProcess[str]:
    """In a process of its own, in which sets of strings have the same order each time."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulator", *arguments],
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, QUICK, PER_RUN))
def test_no_seed_fails(first: int) -> None:
    found = run(f"{first}:{first + PER_RUN}")
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("first", range(FIRST_LATER, NIGHTLY, PER_LONG_RUN))
def test_no_later_seed_fails(first: int) -> None:
    found = run(f"{first}:{first + PER_LONG_RUN}")
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("seed", ["7", "12"])
def test_a_seed_tells_the_same_story_again(seed: str) -> None:
    first, again = run(seed).stdout, run(seed).stdout
    assert first == again
    assert "from now on all is calm" in first


@pytest.fixture(scope="module")
def hunt() -> dict[str, tuple[int, str] | None]:
    """What found each bug: a seed, and what it said."""
    found = run(f"0:{FOR_BUGS}", "--bugs")
    assert not found.stderr, found.stderr
    return dict(json.loads(line) for line in found.stdout.splitlines())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(hunt: dict[str, tuple[int, str] | None], name: str) -> None:
    assert hunt[name], f"no seed up to {FOR_BUGS} finds it"
