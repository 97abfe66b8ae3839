"""An application is put back to its beginning and gives every result again, on both brokers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from millstream.app import App
from millstream.cli import main
from millstream.remote.reset import internal_topics_of
from tests.client.brokers import bootstrap, client, embedded_bootstrap, new_topic, unique
from tests.runtime.running import EVENT_TIME, latest, read_all, running, write

__all__ = ["bootstrap", "client", "embedded_bootstrap", "new_topic"]


def cli(capsys, *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def word_count(name: str, source: str, sink: str, folder: Path) -> App:
    app = App(name, commit_interval="100ms", store="rocksdb", state_dir=folder)
    app.stream(source, value=str).group_by(lambda word: word).count(store="counts").to_stream().to(sink)
    return app


def test_after_a_reset_everything_is_done_again(client, new_topic, bootstrap, tmp_path: Path, capsys):
    source, sink, name = new_topic("words", 1), new_topic("counts", 1), unique("app")
    write(client, source, [(None, word, EVENT_TIME) for word in (b"a", b"b", b"a")], 1)

    def run() -> None:
        with running(word_count(name, source, sink, tmp_path), client) as worker:
            worker.until(lambda status: status.records == 6 and status.idle and status.commits > 0)
            worker.stop()

    run()
    before = latest(read_all(client, sink, 1))
    place = ("reset", name, "-b", bootstrap, "--state-dir", str(tmp_path))
    status, shown, _ = cli(capsys, *place, "--json")
    plan = json.loads(shown)
    assert status == 0
    assert plan["offsets"] == [{"topic": source, "partition": 0, "from": 3, "to": 0}]
    assert [topic.removeprefix(name) for topic in plan["topics"]] == [
        "-counts-changelog",
        "-counts-repartition",
        "-tasks",
    ]
    assert (plan["folder"], plan["done"]) == (str(tmp_path / "stores" / name), False)
    assert Path(plan["folder"]).is_dir(), "it was only shown"
    with running(word_count(name, source, sink, tmp_path), client) as worker:
        worker.until(lambda status: status.ready)
        status, _, refused = cli(capsys, *place, "--execute")
        assert (status, "stop them first" in refused) == (2, True), refused
        worker.stop()
    status, said, _ = cli(capsys, *place, "--execute")
    assert (status, f"deleted {name}-counts-changelog" in said) == (0, True)
    assert not Path(plan["folder"]).exists()
    run()
    assert latest(read_all(client, sink, 1)) == before, "counted from nothing: twice would be other numbers"
    status, _, refused = cli(capsys, "reset", unique("nobody"), "-b", bootstrap, "--state-dir", str(tmp_path))
    assert (status, "there is nothing of an application" in refused) == (2, True)


def test_topics_of_the_user_and_of_other_applications_are_left():
    """N1-N3: by their names."""
    topics = ["a-s-changelog", "a-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-0000000007-topic", "a-x-repartition", "a-tasks"]
    others = ["a-results", "a-eu-s-changelog", "a-eu-tasks", "b-s-changelog", "ab-s-changelog", "a-changelog"]
    assert internal_topics_of("a", [*topics, *others]) == tuple(sorted(topics))
