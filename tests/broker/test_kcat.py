"""kcat against the broker, unchanged."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from millstream.broker import EmbeddedBroker

KCAT = shutil.which("kcat") or shutil.which("kafkacat")
pytestmark = pytest.mark.skipif(KCAT is None, reason="kcat is not installed (Debian: apt-get install kcat)")


def kcat(broker: EmbeddedBroker, *arguments: str, text: str = "") -> str:
    command = [str(KCAT), "-b", broker.bootstrap, *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_it_writes_it_reads(broker: EmbeddedBroker, name: str) -> None:
    kcat(broker, "-P", "-t", name, "-K:", "-z", "gzip", text="a:1\nb:2\n")
    assert kcat(broker, "-C", "-t", name, "-e", "-q", "-f", "%k=%s@%o\n") == "a=1@0\nb=2@1\n"


def test_it_lists_the_broker_and_topics(broker: EmbeddedBroker, name: str) -> None:
    kcat(broker, "-P", "-t", name, text="x\n")
    listed = kcat(broker, "-L", "-t", name)
    assert f"broker 0 at {broker.bootstrap}" in listed
    assert f'topic "{name}" with 1 partitions' in listed


def test_it_reads_as_a_group(broker: EmbeddedBroker, name: str) -> None:
    kcat(broker, "-P", "-t", name, text="x\ny\n")
    assert kcat(broker, "-G", f"group-{name}", name, "-c", "2", "-q", "-o", "beginning").split() == ["x", "y"]


def test_it_finds_offsets_by_time(broker: EmbeddedBroker, name: str) -> None:
    kcat(broker, "-P", "-t", name, text="x\n")
    assert "[0] offset 0" in kcat(broker, "-Q", "-t", f"{name}:0:1")
