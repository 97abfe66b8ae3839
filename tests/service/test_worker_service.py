"""What a running program tells over HTTP, on both brokers."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from millstream.app import App
from millstream.cli import main
from tests.client.brokers import bootstrap, client, embedded_bootstrap, new_topic, unique
from tests.client.until import until
from tests.ports import free_port
from tests.runtime.running import EVENT_TIME, write

__all__ = ["bootstrap", "client", "embedded_bootstrap", "new_topic"]


def told(address: str, path: str) -> bytes | None:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
            return answer.read()
    except (urllib.error.HTTPError, ConnectionError, urllib.error.URLError):
        return None


def shown_by_the_command_line(capsys, application: str, bootstrap: str) -> dict[str, list[dict[str, object]]]:
    """Once the worker has told where it answers."""

    def look() -> dict[str, list[dict[str, object]]] | None:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["status", application, "--json", "-b", bootstrap])
        out, err = capsys.readouterr()
        assert ended.value.code == 0, err
        found: dict[str, list[dict[str, object]]] = json.loads(out)
        return found if found["workers"] and found["committed"] else None

    return until(look)


def test_a_running_program_tells_what_it_does(client, new_topic, bootstrap, tmp_path: Path, capsys):
    source, sink = new_topic("words", 1), new_topic("counts", 1)
    address = f"127.0.0.1:{free_port()}"
    app = App(unique("app"), bootstrap_servers=bootstrap, http=address, commit_interval="100ms", state_dir=tmp_path)
    app.stream(source, key=str, value=str).group_by_key().count(store="counts").to_stream().to(sink)
    write(client, source, [(b"k%d" % (i % 3), b"v", EVENT_TIME + i) for i in range(50)], 1)
    stop, failed = threading.Event(), []

    def run() -> None:
        try:
            app.run(stop)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:

        def all_told() -> bool:
            assert not failed, failed
            metrics = (told(address, "/metrics") or b"").decode()
            return (
                all(
                    each in metrics
                    for each in (
                        f'millstream_records_total{{application="{app.settings.application_id}"}} 50.0',
                        'store="counts",task="0_0"} 3.0',
                        'millstream_task_lag{application="' + app.settings.application_id + '",task="0_0"} 0.0',
                    )
                )
                and "millstream_commits_total" in metrics
            )

        until(all_told)
        assert json.loads(told(address, "/ready") or b"") == {"ok": True, "why": "1 tasks run"}
        assert json.loads(told(address, "/health") or b"") == {"ok": True, "why": "alive"}
        status = json.loads(told(address, "/status") or b"")
        assert (status["application"], status["lag"]) == (app.settings.application_id, 0)
        assert status["tasks"][0]["bytes"] > 50
        assert status["tasks"][0]["latency_count"] > 0
        shown = shown_by_the_command_line(capsys, app.settings.application_id, bootstrap)
        assert [(each["address"], each["answers"], each["records"]) for each in shown["workers"]] == [
            (address, True, 50)
        ]
        assert [(each["task"], each["worker"], each["state"], each["lag"]) for each in shown["tasks"]] == [
            ("0_0", address, "running", 0)
        ]
        assert [(each["topic"], each["committed"], each["lag"]) for each in shown["committed"]] == [(source, 50, 0)]
    finally:
        stop.set()
        thread.join(60)
    assert told(address, "/health") is None, "the service ends with the worker"
