"""A running application is paused and goes on, on both brokers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from millstream.app import App
from millstream.cli import main
from tests.client.brokers import bootstrap, client, embedded_bootstrap, new_topic, unique
from tests.client.until import until
from tests.ports import free_port
from tests.runtime.running import EVENT_TIME, read_all, write

__all__ = ["bootstrap", "client", "embedded_bootstrap", "new_topic"]


def cli(capsys, *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out + said.err


def test_a_paused_application_keeps_its_tasks_and_processes_nothing(
    client, new_topic, bootstrap, tmp_path: Path, capsys
):
    source, sink, name = new_topic("in", 1), new_topic("out", 1), unique("app")
    address = f"127.0.0.1:{free_port()}"
    app = App(name, http=address, bootstrap_servers=bootstrap, state_dir=tmp_path)
    app.stream(source, value=str).to(sink)
    stop = threading.Event()
    thread = threading.Thread(target=app.run, args=(stop,), daemon=True)
    thread.start()
    try:
        until(lambda: app.status().ready)
        until(lambda: cli(capsys, "pause", name, "-b", bootstrap) == (0, f"{address}: paused\n"))
        write(client, source, [(None, b"x", EVENT_TIME)] * 5, 1)
        until(lambda: app.status().tasks[0].buffered == 5)
        assert (app.status().records, app.status().ready, app.status().paused) == (0, True, True)
        assert cli(capsys, "resume", name, "-b", bootstrap) == (0, f"{address}: resumed\n")
        until(lambda: app.status().records == 5 and app.status().idle)
        assert len(read_all(client, sink, 1)) == 5
    finally:
        stop.set()
        thread.join(60)
    status, said = cli(capsys, "pause", name, "-b", bootstrap)
    assert (status, f"no worker of {name} answers" in said) == (2, True)
