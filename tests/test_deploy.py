"""The files in deploy/ name what there is: settings, paths, commands, and a program that runs."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from millstream.app import App
from millstream.cli import commands
from millstream.config_sources import CONFIG, from_environment
from millstream.runtime import WorkerStatus
from millstream.runtime.clock import SystemClock
from millstream.service.store_routes import store_routes
from millstream.service.worker_service import routes
from millstream.testing import drive

ROOT = Path(__file__).parents[1]
DEPLOY = sorted((ROOT / "deploy").iterdir())
FILES = [each for each in DEPLOY if each.is_file()]
PAGES = [ROOT / "docs" / name for name in ("cluster.md", "observability.md", "queries.md", "tools.md")]
VARIABLE = re.compile(r"\b(MILLSTREAM_[A-Z_]+)(?:: | |=)?")
COMMAND = re.compile(r"(?:^| {4}|#   |\| )millstream (\w+)", re.MULTILINE)


@pytest.mark.parametrize("path", [*FILES, *PAGES], ids=lambda path: path.name)
def test_every_variable_is_a_setting(path: Path) -> None:
    for name in set(VARIABLE.findall(path.read_text())) - {CONFIG}:
        numbers = ("_TOPICS", "_REPLICATION", "_RECORDS")
        assert from_environment({name: "1" if name.endswith(numbers) else "none"}), name


@pytest.mark.parametrize("path", [*FILES, *PAGES], ids=lambda path: path.name)
def test_every_command_is_there(path: Path) -> None:
    known = {each.callback.__name__ for each in commands.registered_commands if each.callback is not None}
    known |= {each.typer_instance.info.name for each in commands.registered_groups if each.typer_instance is not None}
    assert set(COMMAND.findall(path.read_text())) <= known


def test_probes_ask_what_a_worker_answers() -> None:
    app = App("words")
    served = set(routes(app.settings, WorkerStatus, SystemClock())) | set(store_routes(None))  # type: ignore[arg-type]
    asked = set(re.findall(r"(?:path: |8080)(/[a-z]+)\b", "".join(each.read_text() for each in FILES)))
    assert asked - {"/state"} <= served
    assert {"/health", "/ready", "/metrics"} <= asked


def test_the_program_counts_words() -> None:
    app = runpy.run_path(str(ROOT / "deploy" / "words.py"))["app"]
    counts = drive(app, ("lines", None, "to be or not to be"))["counts"]
    assert dict(counts) == {"to": 2, "be": 2, "or": 1, "not": 1}


def test_workers_are_given_longer_to_stop_than_their_last_commit_may_take() -> None:
    limit_ms = App("words").settings.stop_timeout_ms
    compose, kubernetes = ((ROOT / "deploy" / name).read_text() for name in ("compose.yaml", "kubernetes.yaml"))
    assert int(re.findall(r"stop_grace_period: (\d+)s", compose)[0]) * 1000 > limit_ms
    assert int(re.findall(r"terminationGracePeriodSeconds: (\d+)", kubernetes)[0]) * 1000 > limit_ms


def test_the_image_has_what_the_build_reads() -> None:
    """The names that stand in the project's file, and the script that hatchling looks for."""
    read = ["pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "src", "examples"]
    copied = " ".join(re.findall(r"^COPY (.*)$", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE)).split()
    ignored = (ROOT / ".dockerignore").read_text().split()
    for name in read:
        assert (ROOT / name).exists(), name
        assert name in copied, name
        assert f"!{name}" in ignored, name
