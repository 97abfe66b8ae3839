"""`millstream demo` as a user starts it, on both brokers: what comes out equals the offline computation."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition
from examples.qos import replay, simulator
from examples.qos.definitions import ALERTS, ANOMALIES, DEAD_LETTERS, DROPOFFS, REPORTS
from examples.qos.demo.ground import Ground
from examples.qos.demo.processes import Child
from examples.qos.feed import Feed, Pace, reports_producer
from examples.qos.offline import expected
from examples.qos.schedule import Row
from examples.qos.topics import create_topics, publish_benchmarks

from tests.shared import LUMOS

LIMIT_S = 110
START_MS = 1_700_000_000_000
ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from millstream.cli import main; main()", "demo"]
TOPICS = (REPORTS, ALERTS, ANOMALIES, DROPOFFS, DEAD_LETTERS)


def demo(*options: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, Any], str]:
    """The exit status, the JSON object of the last line, and what stood on stderr."""
    done = subprocess.run(
        [*COMMAND, *options, "--json"], capture_output=True, text=True, timeout=LIMIT_S, cwd="/", env=env, check=False
    )
    lines = done.stdout.splitlines()
    return done.returncode, msgspec.json.decode(lines[-1]) if lines else {}, done.stderr


class Topics:
    """What is written to the example's topics from now on."""

    def __init__(self, bootstrap: str) -> None:
        create_topics(bootstrap)
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "tests", "enable.auto.commit": False})
        self._ground = Ground(bootstrap, "tests")
        self._begin = self._ground.ends(TOPICS)

    def written(self) -> dict[str, list[Row]]:
        rows: dict[str, list[Row]] = {topic: [] for topic in TOPICS}
        ends = self._ground.ends(TOPICS)
        left = sum(end - self._begin[at] for at, end in ends.items())
        self._consumer.assign([TopicPartition(*at, begin) for at, begin in self._begin.items()])
        while left > 0:
            messages = self._consumer.consume(min(left, 10_000), timeout=20)
            assert messages, f"{left} records did not arrive"
            for message in messages:
                assert message.error() is None
                row = Row(message.partition(), message.timestamp()[1], message.key(), message.value())
                rows[message.topic()].append(row)
            left -= len(messages)
        return rows

    def close(self) -> None:
        self._ground.close()
        self._consumer.close()


@pytest.fixture
def topics(any_broker):
    watched = Topics(any_broker)
    yield watched
    watched.close()


def assert_as_computed(rows: dict[str, list[Row]], benchmarks):
    """Exactly what the offline computation makes of the reports that were sent; what was told twice counts once."""
    batch = expected(rows[REPORTS], {cdn: msgspec.to_builtins(promised) for cdn, promised in benchmarks.items()})
    assert told(rows[ALERTS], "location", "cdn") == batch.alerts
    assert told(rows[ANOMALIES], "session") == batch.anomalies
    assert told(rows[DROPOFFS], "session") == batch.dropoffs
    assert len(dict.fromkeys(rows[DEAD_LETTERS])) == batch.dead_letters
    return batch


def told(rows: list[Row], *by: str) -> list[dict[str, Any]]:
    results = [msgspec.json.decode(row.value or b"") for row in dict.fromkeys(rows)]
    return sorted(results, key=lambda each: [each[name] for name in by])


@pytest.mark.shared
def test_real_reports(any_broker, topics):
    status, summary, errors = demo("--reports", str(LUMOS), "--speed", "max", "--bootstrap", any_broker)
    assert (status, errors) == (0, "")
    batch = assert_as_computed(topics.written(), replay.BENCHMARKS)
    assert batch.reports == summary["reports"] == 48_870
    assert summary["alerts"] + summary["alerts_closed"] == len(batch.alerts) == 29
    assert (summary["anomalies"], summary["dropoffs"], summary["dead_letters"]) == (157, 83, 0)
    assert summary["late"] == 0
    assert summary["complete"]
    assert summary["records_per_s"] > 0
    assert 0 < summary["latency_p50_ms"] <= summary["latency_p99_ms"]


def test_one_run_after_the_other(any_broker, topics):
    """The second has nothing of the first, and leaves nothing but the records in the topics."""
    match = ("--viewers", "400", "--seconds", "60", "--speed", "max", "--bootstrap", any_broker)
    status, first, errors = demo(*match, "--seed", "3")
    assert (status, errors) == (0, "")
    watched = Topics(any_broker)
    status, second, errors = demo(*match, "--seed", "4")
    assert (status, errors) == (0, "")
    batch = assert_as_computed(watched.written(), simulator.CDNS)
    watched.close()
    assert batch.alerts
    assert batch.reports == second["reports"]
    assert second["alerts"] + second["alerts_closed"] == len(batch.alerts)
    figures = ("reports", "alerts", "alerts_closed", "anomalies", "dropoffs", "dead_letters")
    assert [second[name] for name in figures] != [first[name] for name in figures]
    ground = Ground(any_broker, "qos-demo")
    assert ground.internal_topics() == []
    ground.close()


def test_nothing_is_missing_after_the_worker_was_killed(any_broker, topics):
    publish_benchmarks(any_broker, simulator.CDNS, START_MS)
    ground = Ground(any_broker, f"qos-killed-{time.time_ns()}")
    ground.start_input_here()
    work = {"application_id": ground.application_id, "bootstrap": any_broker, "clock": "stream"}
    events = list(simulator.events(simulator.Match(seed=3, viewers=400, seconds=80)))
    feed = Feed(reports_producer(any_broker), Pace(START_MS, None))

    def killed_half_way():
        """The events; between them, once, a worker that has committed some and not all that it did is killed."""
        yield from events[: len(events) // 3]
        feed.flush()
        with Child("worker", work) as worker:
            until(lambda: worker.lines() is not None and ground.processed([REPORTS]))
            before = results_so_far(ground)
            yield from events[len(events) // 3 : 2 * len(events) // 3]
            feed.flush()
            until(lambda: worker.lines() is not None and results_so_far(ground) > before)
            assert not ground.processed([REPORTS])
            os.kill(worker.pid, signal.SIGKILL)
        yield from events[2 * len(events) // 3 :]

    feed.run(killed_half_way())
    with Child("worker", work) as worker:
        sources = [REPORTS, *ground.internal_topics("repartition")]
        until(lambda: worker.lines() is not None and ground.processed(sources))
    ground.clear()
    ground.close()
    batch = assert_as_computed(topics.written(), simulator.CDNS)
    assert batch.alerts
    assert batch.dropoffs


def results_so_far(ground: Ground) -> int:
    return sum(ground.ends([ALERTS, ANOMALIES]).values())


def until(condition) -> None:
    limit = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_live_on_the_embedded_broker():
    status, summary, errors = demo("--viewers", "300", "--seconds", "4")
    assert (status, errors) == (0, "")
    assert summary["complete"]
    assert 0 < summary["latency_p50_ms"] <= summary["latency_p99_ms"]


def test_ctrl_c_ends_a_live_match_with_a_summary():
    """In a terminal: the picture is there, Ctrl-C reaches no child, and the status is 0."""
    parent, terminal = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "--viewers", "300"], stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    ) as process:
        os.close(terminal)
        seen = read(parent, until=(b"live", b" ms"))
        os.killpg(process.pid, signal.SIGINT)
        seen += read(parent)
        assert process.wait(LIMIT_S) == 0
    os.close(parent)
    assert b"worst places" in seen
    assert b"Traceback" not in seen
    assert re.search(rb"\n +[\d,]+ reports in [\d.]+ s: [\d,]+ a second\r\n", seen)


def read(terminal: int, until: tuple[bytes, ...] = ()) -> bytes:
    """What appears in the terminal, until all these words have, or it is closed."""
    seen = b""
    limit = time.monotonic() + LIMIT_S
    while not until or not all(word in seen for word in until):
        ready, _, _ = select.select([terminal], [], [], max(0.0, limit - time.monotonic()))
        assert ready, seen.decode(errors="replace")
        try:
            seen += os.read(terminal, 65536)
        except OSError:  # how Linux says that nobody has the other side open any more
            assert not until, seen.decode(errors="replace")
            break
    return seen


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--bootstrap", "127.0.0.1:1"], "error: no broker answers at 127.0.0.1:1"),
        (["--reports", str(ROOT / "pyproject.toml")], "the header lacks session"),
        (["--reports", "nowhere.csv"], "error: --reports nowhere.csv: there is no such file"),
        (["--speed", "fast"], "error: --speed must be a number or max"),
        (["--bogus"], "error: No such option: --bogus"),
    ],
)
def test_a_wrong_option_is_one_line_and_status_2(options, says):
    status, _, errors = demo(*options)
    assert status == 2
    assert says in errors
    assert errors.count("\n") == 1


def test_the_installed_package_has_the_demo(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(ROOT)], check=True, timeout=LIMIT_S)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(installed)
    status, summary, errors = demo(
        *("--viewers", "100", "--seconds", "20", "--speed", "max"), env={**os.environ, "PYTHONPATH": str(installed)}
    )
    assert (status, errors) == (0, "")
    assert summary["complete"]
