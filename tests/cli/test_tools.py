"""The tools on both brokers: topics, groups, records in and out as lines."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as RdTopicPartition

from millstream.cli import main

Tool = Callable[..., tuple[int, str, str]]


@pytest.fixture
def topic() -> str:
    return f"tools-{uuid4().hex[:8]}"


@pytest.fixture
def tool(any_broker: str, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Runs a command on the broker: its status, and what it wrote to standard output and standard error."""
    monkeypatch.setenv("MILLSTREAM_BOOTSTRAP_SERVERS", any_broker)

    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        sys.stdout.flush()
        said = capfdbinary.readouterr()
        return int(ended.value.code or 0), said.out.decode(), said.err.decode()

    return run


def ok(outcome: tuple[int, str, str]) -> str:
    status, out, err = outcome
    assert status == 0, err
    return out


def objects(outcome: tuple[int, str, str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in ok(outcome).splitlines()]


def test_a_topic_from_its_making_to_its_end(tool: Tool, topic: str) -> None:
    ok(tool("topics", "create", topic, "--partitions", "2", "--config", "retention.ms=86400000"))
    assert {"topic": topic, "partitions": 2} in objects(tool("topics", "list", "--json"))
    ok(tool("topics", "alter", topic, "--partitions", "3", "-c", "cleanup.policy=compact", "--unset", "retention.ms"))
    [described] = objects(tool("topics", "describe", topic, "--json"))
    assert [(each["partition"], each["end_offset"]) for each in described["partitions"]] == [(0, 0), (1, 0), (2, 0)]  # type: ignore[attr-defined]
    assert described["config"] == {"cleanup.policy": "compact"}
    assert topic in ok(tool("topics", "describe", topic))
    ok(tool("topics", "delete", topic, "--yes"))
    assert topic not in [each["topic"] for each in objects(tool("topics", "list", "--json"))]


def test_values_in_records_out_and_the_copy_is_the_same(tool: Tool, topic: str) -> None:
    copy = f"{topic}-copy"
    for name in (topic, copy):
        ok(tool("topics", "create", name))
    assert "wrote 3 records" in tool("produce", topic, "-K", ":", stdin='a:{"n": 1}\n\nb:text\r\na:\n')[2]
    read = tool("consume", topic)
    assert [(each["key"], each["value"]) for each in objects(read)] == [("a", {"n": 1}), ("b", "text"), ("a", "")]
    ok(tool("produce", copy, "--format", "record", stdin=ok(read)))
    assert ok(tool("consume", copy)).replace(copy, topic) == ok(read)
    assert ok(tool("consume", copy, "--format", "value", "--max", "2")) == '{"n": 1}\ntext\n'


def test_positions_by_offset_and_by_time(tool: Tool, topic: str) -> None:
    ok(tool("topics", "create", topic, "-p", "2", "-c", "retention.ms=-1"))
    lines = "".join(
        json.dumps({"key": "k", "value": n, "timestamp": 1_700_000_000_000 + n * 1000}) + "\n" for n in range(9)
    )
    ok(tool("produce", topic, "--format", "record", stdin=lines))
    values = lambda *options: [each["value"] for each in objects(tool("consume", topic, *options))]  # noqa: E731
    assert values("--from", "7") == ["7", "8"]
    assert values("--from", "2023-11-14T22:13:24") == ["4", "5", "6", "7", "8"]
    assert values("--until", "2023-11-14T22:13:22Z") == ["0", "1"]
    assert values("--from", "end") == []
    assert values("--max", "0") == []
    [described] = objects(tool("topics", "describe", topic, "--json"))
    [full] = [each["partition"] for each in described["partitions"] if each["end_offset"]]  # type: ignore[attr-defined]
    assert values("--partition", str(full)) == values()
    assert values("--partition", str(1 - full)) == []
    ok(tool("topics", "delete-records", topic, "--before", "2023-11-14T22:13:26", "--yes"))
    assert values() == ["6", "7", "8"]


def test_a_line_that_cannot_be_read_is_named_and_those_before_it_are_there(tool: Tool, topic: str) -> None:
    ok(tool("topics", "create", topic))
    status, _, error = tool("produce", topic, "--format", "record", stdin='{"value": 1}\n{"value": 2}\n{"val": 3}\n')
    assert status == 1
    assert "line 3" in error
    assert "The 2 records before it were written" in error
    assert len(objects(tool("consume", topic))) == 2


def test_a_group_is_described_moved_and_deleted(tool: Tool, topic: str, any_broker: str) -> None:
    group = f"{topic}-group"
    ok(tool("topics", "create", topic))
    ok(tool("produce", topic, stdin="1\n2\n3\n4\n"))
    consumer = Consumer({"bootstrap.servers": any_broker, "group.id": group, "enable.auto.commit": False})
    consumer.commit(offsets=[RdTopicPartition(topic, 0, 3)], asynchronous=False)
    consumer.close()
    assert group in [each["group"] for each in objects(tool("groups", "list", "--json"))]
    place = {"topic": topic, "partition": 0}
    [described] = objects(tool("groups", "describe", group, "--json"))
    assert described["partitions"] == [{**place, "committed": 3, "end": 4, "lag": 1, "member": None}]
    shown = objects(tool("groups", "reset", group, "-t", topic, "--shift", "-2", "--json"))
    assert shown == [{**place, "from": 3, "to": 1}]
    [unchanged] = objects(tool("groups", "describe", group, "--json"))
    assert unchanged == described, "a reset without --execute changes nothing"
    ok(tool("groups", "reset", group, "-t", topic, "--to", "beginning", "--execute"))
    [moved] = objects(tool("groups", "describe", group, "--json"))
    assert [each["committed"] for each in moved["partitions"]] == [0]  # type: ignore[attr-defined]
    ok(tool("groups", "delete", group, "--yes"))
    assert group not in [each["group"] for each in objects(tool("groups", "list", "--json"))]


def test_offsets_of_a_group_that_is_not_there_are_its_first(tool: Tool, topic: str) -> None:
    ok(tool("topics", "create", topic))
    ok(tool("produce", topic, stdin="1\n2\n"))
    group = f"{topic}-new"
    status, out, said = tool("groups", "reset", group, "-t", topic, "--to", "end", "--json")
    assert (status, json.loads(out)) == (0, {"topic": topic, "partition": 0, "from": None, "to": 2})
    assert said == f"there is no group {group!r}: these are offsets for it to begin from\n"
    assert tool("groups", "describe", group)[0] == 1, "nothing was changed"
    said = tool("groups", "reset", group, "-t", topic, "--to", "end", "--execute")[2]
    assert said.startswith("there is no group")
    status, out, said = tool("groups", "reset", group, "-t", topic, "--to", "beginning", "--json")
    assert (status, json.loads(out)["from"], said) == (0, 2, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["consume", "no-such-topic-{}"], "there is no topic"),
        (["groups", "describe", "no-such-group-{}"], "there is no group"),
        (["groups", "reset", "no-such-group-{}", "-t", "t", "--shift", "-1"], "there is nothing to shift from"),
        (["consume", "t", "--from", "yesterday"], "--from takes beginning, end"),
        (["consume", "t", "--follow", "--until", "end"], "give one of them"),
        (["topics", "create", "t", "-c", "retention"], "--config takes NAME=VALUE"),
        (["topics", "alter", "t"], "nothing to change"),
        (["groups", "reset", "g", "-t", "t"], "give either --to POSITION or --shift N"),
        (["groups", "delete", "g"], "give --yes to do it"),
        (["produce", "t", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["topics", "list", "-X", "no.such.property=1"], "no.such.property"),
    ],
)
def test_what_cannot_be_done_is_one_line(tool: Tool, topic: str, arguments: Sequence[str], said: str) -> None:
    status, _, error = tool(*(each.format(topic) for each in arguments))
    assert status in (1, 2)
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1


def test_transactions_that_were_aborted_are_shown_only_when_asked_for(tool: Tool, topic: str, any_broker: str) -> None:
    ok(tool("topics", "create", topic))
    producer = Producer({"bootstrap.servers": any_broker, "transactional.id": topic})
    producer.init_transactions(30)
    for value, end in (("gone", producer.abort_transaction), ("kept", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(topic, value)
        producer.flush(30)
        end(30)
    assert [each["value"] for each in objects(tool("consume", topic))] == ["kept"]
    assert [each["value"] for each in objects(tool("consume", topic, "--uncommitted"))] == ["gone", "kept"]


def test_following_goes_on_with_what_comes_until_ctrl_c(
    tool: Tool, topic: str, any_broker: str, tmp_path: Path
) -> None:
    ok(tool("topics", "create", topic))
    command = [sys.executable, "-m", "millstream", "consume", topic, "--follow", "--format", "value"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        env={**os.environ, "MILLSTREAM_BOOTSTRAP_SERVERS": any_broker},
        text=True,
    ) as following:
        assert following.stdout is not None
        for number in range(3):
            ok(tool("produce", topic, stdin=f"{number}\n"))
            assert following.stdout.readline() == f"{number}\n"
        following.send_signal(signal.SIGINT)
        assert following.wait(20) == 0


def test_without_a_broker_named_it_is_that_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MILLSTREAM_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines").write_text("one\ntwo\n")
    for arguments in (["produce", "t", "lines"], ["consume", "t", "--format", "value"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert not ended.value.code
        sys.stdout.flush()
    assert capfd.readouterr().out == "one\ntwo\n"
