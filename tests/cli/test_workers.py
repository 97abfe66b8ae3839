"""`millstream run --workers N` as a user runs it: processes, their parent, signals."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from millstream.broker.launch import EmbeddedBroker
from millstream.client.contract import TopicSpec
from millstream.client.librdkafka import LibrdkafkaClient
from millstream.serde.scalars import INT64
from tests.client.brokers import unique
from tests.client.until import until
from tests.ports import free_port
from tests.runtime.running import EVENT_TIME, read_all, write

PARTITIONS = 4
PROGRAM = """
import millstream as ms

app = ms.App("NAME", emit="every", processing_guarantee="exactly_once_v2", group_instance_id="NAME", state_dir="state")
words = app.stream("NAME-in").group_by(lambda value: value["word"])
words.count(store="counts").to_stream().to("NAME-out")
"""


class Parent:
    """The command, and what it has said so far."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-P", "-m", "millstream", "run", *arguments]
        self.process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.said.extend(iter(self.process.stderr.readline, ""))

    def lines(self, pattern: str) -> list[str]:
        return [found[1] for line in list(self.said) if (found := re.search(pattern, line))]

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self._reader.join(10)
            assert self.process.stderr is not None
            self.process.stderr.close()


@contextmanager
def parent(folder: Path, *arguments: str) -> Iterator[Parent]:
    """Running; what fails beside it is told with all that it said."""
    made = Parent(folder, *arguments)
    try:
        yield made
    except BaseException as error:
        made.close()
        error.add_note(f"`millstream run {' '.join(arguments)}` said:\n{''.join(made.said)}")
        raise
    finally:
        made.close()


def rows(count: int, first: int) -> list[tuple[None, bytes, int]]:
    return [(None, json.dumps({"word": f"w{i % 7}"}).encode(), EVENT_TIME + i) for i in range(first, first + count)]


def counted(client: LibrdkafkaClient, name: str) -> Counter[tuple[str, int]]:
    found = read_all(client, f"{name}-out", PARTITIONS, read_committed=True)
    return Counter((key.decode(), INT64.decode(value)) for key, value, _ in found)


def expected(total: int) -> Counter[tuple[str, int]]:
    return Counter((f"w{i % 7}", i // 7 + 1) for i in range(total))


def count_with_workers(folder: Path, client: LibrdkafkaClient, *more: str) -> None:
    """Two workers, one of which is killed; in the end both stop when the parent is told to."""
    name = unique("words")
    (folder / "words_program.py").write_text(PROGRAM.replace("NAME", name))
    admin = client.admin()
    topics = [TopicSpec(f"{name}-{end}", PARTITIONS, {}) for end in ("in", "out")]
    admin.create_topics(topics, timeout_ms=10_000)
    admin.close()
    with parent(folder, "words_program.py", "--workers", "2", *more) as running:
        write(client, f"{name}-in", rows(100, 0), PARTITIONS)
        until(lambda: len(running.lines(r"^\[(\d)\] .* runs on ")) == 2)
        until(lambda: counted(client, name) == expected(100))
        (pid,) = running.lines(r"worker 1: process (\d+)")
        os.kill(int(pid), signal.SIGKILL)
        write(client, f"{name}-in", rows(100, 100), PARTITIONS)
        until(lambda: len(running.lines(r"worker 1: process (\d+)")) == 2)
        until(lambda: counted(client, name) == expected(200), limit_s=60)
        running.process.terminate()
        assert running.process.wait(30) == 0, "".join(running.said)
        assert len(running.lines(r"worker 2: process (\d+)")) == 1, "the other worker has gone on"
    assert counted(client, name) == expected(200)


def test_workers_on_the_folders_own_broker(tmp_path):
    with EmbeddedBroker.shared(tmp_path / "state") as broker:
        count_with_workers(tmp_path, LibrdkafkaClient(broker.bootstrap))


@pytest.mark.kafka
def test_workers_on_apache_kafka(tmp_path, apache_kafka):
    client = LibrdkafkaClient(apache_kafka.bootstrap)
    count_with_workers(tmp_path, client, "--bootstrap", apache_kafka.bootstrap)


def test_a_worker_whose_port_is_in_use_is_started_again_until_it_is_free(tmp_path):
    program = "import millstream as ms\n\napp = ms.App('ports', state_dir='state')\napp.stream('in').to('out')\n"
    (tmp_path / "ports_program.py").write_text(program)
    port = free_port(2)
    with ExitStack() as stack:
        taken = stack.enter_context(socket.create_server(("127.0.0.1", port + 1)))
        running = stack.enter_context(parent(tmp_path, "ports_program.py", "--workers", "2", "--set", f"http={port}"))
        until(lambda: running.lines("worker 2 has ended with (status 1; it is started again)"))
        assert running.lines(f"({port + 1}': cannot listen there)")
        taken.close()
        until(lambda: running.lines(rf"^\[2\] .* (answers at http://127.0.0.1:{port + 1})"))
        assert not running.lines("(worker 1 has ended)")


def test_a_wrong_program_is_told_once(tmp_path):
    (tmp_path / "wrong_program.py").write_text("import millstream as ms\nwrong = 5\n")
    with parent(tmp_path, "wrong_program.py", "--workers", "2") as running:
        assert running.process.wait(30) == 2
    assert len(running.lines("(must hold one App)")) == 1


def test_a_record_that_fails_may_stop_all_workers_and_is_told_with_what_to_do(tmp_path):  # X18
    program = """
import millstream as ms

app = ms.App("poison", state_dir="state")
app.stream("poison-in", value=str).map_values(int).to("poison-out")
"""
    (tmp_path / "poison_program.py").write_text(program)
    with EmbeddedBroker.shared(tmp_path / "state") as broker:
        client = LibrdkafkaClient(broker.bootstrap)
        admin = client.admin()
        admin.create_topics([TopicSpec(f"poison-{end}", 1, {}) for end in ("in", "out")], timeout_ms=10_000)
        admin.close()
        write(client, "poison-in", [(b"k", b"no number", EVENT_TIME)], 1)
        with parent(tmp_path, "poison_program.py", "--workers", "2", "--set", "on_uncaught=stop_all") as running:
            assert running.process.wait(60) == 3, running.said
    (told, *_others) = running.lines(r"error: (task 0_0, poison-in-0 offset 0: .*)")
    assert "mend the function" in told
