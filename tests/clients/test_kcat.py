"""kcat, unchanged, on either broker."""

from __future__ import annotations

import shutil
import subprocess
import uuid

import pytest

KCAT = shutil.which("kcat") or shutil.which("kafkacat")
pytestmark = pytest.mark.kcat


@pytest.fixture
def name() -> str:
    return f"kcat-{uuid.uuid4().hex[:10]}"


def kcat(bootstrap: str, *arguments: str, text: str = "") -> str:
    command = [str(KCAT), "-b", bootstrap, *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_it_writes_it_reads(any_broker: str, name: str) -> None:
    kcat(any_broker, "-P", "-t", name, "-K:", "-z", "gzip", text="a:1\nb:2\n")
    assert kcat(any_broker, "-C", "-t", name, "-e", "-q", "-f", "%k=%s@%o\n") == "a=1@0\nb=2@1\n"


def test_it_lists_the_broker_and_topics(any_broker: str, name: str) -> None:
    kcat(any_broker, "-P", "-t", name, text="x\n")
    listed = kcat(any_broker, "-L", "-t", name)
    assert f" at {any_broker}" in listed
    assert f'topic "{name}" with 1 partitions' in listed


def test_it_reads_as_a_group(any_broker: str, name: str) -> None:
    kcat(any_broker, "-P", "-t", name, text="x\ny\n")
    assert kcat(any_broker, "-G", f"group-{name}", name, "-c", "2", "-q", "-o", "beginning").split() == ["x", "y"]


def test_it_finds_offsets_by_time(any_broker: str, name: str) -> None:
    kcat(any_broker, "-P", "-t", name, text="x\n")
    assert "[0] offset 0" in kcat(any_broker, "-Q", "-t", f"{name}:0:1")
