"""Children are heard, their errors raised, and none outlives its parent."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from examples.qos.demo.processes import Child

from millstream.errors import ConfigError, MillstreamError

LIMIT_S = 30
MATCH = {"reports": None, "viewers": 10, "seconds": 5, "seed": 1}
ROOT = Path(__file__).parents[2]


def heard(child: Child) -> list[dict]:
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        if lines := child.lines():
            return lines
        time.sleep(0.01)
    raise AssertionError("the child said nothing")


def test_a_match_is_ready_and_ends_when_let_go():
    with Child("feeder", MATCH) as feeder:
        assert heard(feeder) == [{"ready": True, "reports": None, "length_ms": 5_000}]


def test_what_is_wrong_in_a_child_is_raised_here(tmp_path):
    file = tmp_path / "reports.csv"
    file.write_text("a,b\n1,2\n")
    with (
        Child("feeder", MATCH | {"reports": str(file)}) as feeder,
        pytest.raises(ConfigError, match="the header lacks"),
    ):
        heard(feeder)


def test_a_child_that_dies_is_an_error():
    with Child("feeder", MATCH) as feeder:
        heard(feeder)
        os.kill(feeder.pid, signal.SIGKILL)
        with pytest.raises(MillstreamError, match="the feeder process ended with status -9"):
            heard(feeder)


def test_a_killed_parent_takes_its_children_along():
    program = (
        "import time\n"
        "from examples.qos.demo.processes import Child\n"
        f"child = Child('feeder', {MATCH})\n"
        "while not child.lines(): time.sleep(0.01)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        ready, _, _ = select.select([parent.stdout], [], [], LIMIT_S)
        assert ready
        orphan = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            ended, _, _ = select.select([orphan], [], [], LIMIT_S)
            assert ended
        finally:
            os.close(orphan)
