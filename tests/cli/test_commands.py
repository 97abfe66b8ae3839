"""The command line: programs found, topologies printed, errors in one line with the right status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import millstream
from millstream.cli import main

SOURCES = Path(millstream.__file__).parents[1]
PROGRAM = """
import millstream as ms
app = ms.App("words")
app.stream("lines", value=str).to("copies")
"""


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / f"words_{tmp_path.name.replace('-', '_')}.py"
    path.write_text(PROGRAM)
    return str(path)


@pytest.mark.parametrize(
    ("notation", "start"),
    [("text", "Topologies:\n   Sub-topology: 0"), ("mermaid", "flowchart TD"), ("dot", "digraph topology {")],
)
def test_a_topology_is_printed(capsys: pytest.CaptureFixture[str], program: str, notation: str, start: str) -> None:
    status, out, _ = run(capsys, "topology", program, "--format", notation)
    assert status == 0
    assert out.startswith(start)
    assert "copies" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nowhere.py"], "error: there is no file 'nowhere.py'"),
        (["run"], "error: Missing argument"),
        (["run", "--bogus"], "error: No such option: --bogus"),
        (["nothing"], "error: No such command 'nothing'"),
        (["broker", "--listen", "here"], "error: --listen must be HOST:PORT"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    status, _, error = run(capsys, *arguments)
    assert status == 2
    assert error.startswith(said)
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("source", "named", "said"),
    [
        ("x = 1", "", "holds none; make one"),
        ("import millstream as ms\na = ms.App('a')\nb = ms.App('b')", "", "holds several (a, b)"),
        (PROGRAM, ":other", "has no App named 'other'; it has: app"),
        ("def broken(:", "", "cannot be read"),
    ],
)
def test_the_app_in_a_file_is_found_or_the_file_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, source: str, named: str, said: str
) -> None:
    path = tmp_path / f"given_{abs(hash((source, named)))}.py"
    path.write_text(source)
    status, _, error = run(capsys, "topology", f"{path}{named}")
    assert status == 2
    assert said in error


def test_a_missing_broker_is_told_with_its_address(capsys: pytest.CaptureFixture[str], program: str) -> None:
    Path(program).write_text(PROGRAM.replace('"words"', '"words", broker_timeout="300ms"'))
    status, _, error = run(capsys, "run", program, "--bootstrap", "127.0.0.1:1")
    assert status == 2
    assert "no Kafka broker answers at 127.0.0.1:1" in error


def test_the_command_line_gives_settings_to_the_program(
    capsys: pytest.CaptureFixture[str], program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", dict(os.environ))
    config = tmp_path / "other.toml"
    config.write_text('broker_timeout = "1s"\n')
    given = ("--config", str(config), "--set", "bootstrap_servers=127.0.0.1:1")
    status, _, error = run(capsys, "run", program, *given)
    assert (status, "127.0.0.1:1" in error) == (2, True), error
    status, _, error = run(capsys, "run", program, "--set", "comit_interval=1s")
    assert (status, "did you mean commit_interval" in error) == (2, True)


SCRIPT = "import sys; from millstream.cli import main; sys.exit(main())"


@pytest.mark.parametrize("by_name", [True, False], ids=["millstream", "python -m millstream"])
@pytest.mark.parametrize("interrupted", ["typer", "the program"])
def test_ctrl_c_while_things_are_imported_ends_quietly(tmp_path: Path, interrupted: str, by_name: bool) -> None:
    source = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n"
    (tmp_path / "program.py").write_text(source)
    if interrupted == "typer":
        (tmp_path / "typer.py").write_text(source)
    (tmp_path / "millstream").write_text(SCRIPT)
    command = [str(tmp_path / "millstream")] if by_name else ["-m", "millstream"]
    ended = subprocess.run(
        [sys.executable, *command, "run", "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{SOURCES}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (130, "")
    assert "Traceback" not in ended.stderr
