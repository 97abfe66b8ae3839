"""`millstream run --workers 2` on the embedded broker, seen from outside: status, and stores of both processes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

import millstream as ms
from millstream.broker.launch import EmbeddedBroker
from millstream.cli import main
from millstream.client.contract import TopicSpec
from millstream.client.librdkafka import LibrdkafkaClient
from tests.cli.test_workers import parent
from tests.client.brokers import unique
from tests.client.until import until
from tests.ports import free_port
from tests.runtime.running import EVENT_TIME, write

PROGRAM = """
import millstream as ms

app = ms.App("NAME", processing_guarantee="exactly_once_v2", state_dir="state")
app.stream("NAME-in", key=str, value=str).group_by_key().count(store="counts")
"""
WORDS = [f"w{number % 7}" for number in range(100)]


def test_two_processes_are_one_application(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, port = unique("app"), free_port(2)
    seen = ""
    (tmp_path / "program.py").write_text(PROGRAM.replace("NAME", name))
    with EmbeddedBroker.shared(tmp_path / "state") as broker:
        client = LibrdkafkaClient(broker.bootstrap)
        admin = client.admin()
        admin.create_topics([TopicSpec(f"{name}-in", 4, {})], timeout_ms=10_000)
        admin.close()
        write(client, f"{name}-in", [(word.encode(), b"x", EVENT_TIME) for word in WORDS], 4)
        with parent(tmp_path, "program.py", "--workers", "2", "--set", f"http={port}"):

            def shared_out() -> list[dict[str, object]] | None:
                nonlocal seen
                with pytest.raises(SystemExit) as ended:
                    main(["status", name, "--json", "-b", broker.bootstrap])
                said, errors = capsys.readouterr()
                seen = f"`millstream status` said: {said}{errors}"
                found = json.loads(said)["workers"] if ended.value.code == 0 else []
                return found if [each["tasks"] for each in found] == [2, 2] else None

            workers = until(shared_out, limit_s=90, seen=lambda: seen)
            assert {str(each["address"]).rpartition(":")[0] for each in workers} == {"127.0.0.1"}
            with ms.connect(name, bootstrap_servers=broker.bootstrap) as app:
                until(lambda: dict(app.store("counts").all()) == Counter(WORDS))
                assert app.store("counts")["w3"] == Counter(WORDS)["w3"]
