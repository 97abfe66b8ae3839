"""Types flow through a user's program: what mypy and pyright, both strict, know of each step; and what they refuse."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from mypy import api

PROGRAM = Path(__file__).with_name("typed_program.txt")
SHORT = re.compile(r"(?:millstream\.[a-z_.]+|program|uuid)\.(?=[A-Z])")
REVEALED = re.compile(r'Revealed type is "(.*)"|Type of ".*" is "(.*)"', re.DOTALL)

Findings = dict[int, str]


def add(findings: Findings, line: int, severity: str, message: str) -> None:
    """An error, or a type; an error says all about its line."""
    revealed = REVEALED.fullmatch(message)
    said = "error" if severity == "error" else SHORT.sub("", (revealed[1] or revealed[2]) if revealed else message)
    if findings.get(line) != "error":
        findings[line] = said


def mypy(folder: Path) -> Findings:
    arguments = ["--strict", "--no-error-summary", "--cache-dir", str(folder / "cache"), str(folder / "program.py")]
    out, errors, _ = api.run(arguments)
    assert not errors
    found: Findings = {}
    for line in out.splitlines():
        place = re.match(r"\S*program\.py:(\d+): (\w+): (.*?)(?:  \[[\w-]+\])?$", line)
        assert place is not None, line
        if place[2] != "note" or REVEALED.fullmatch(place[3]):
            add(found, int(place[1]), place[2], place[3])
    return found


def pyright(folder: Path) -> Findings:
    (folder / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict", "pythonVersion": "3.11"}))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    if not ran.stdout.lstrip().startswith("{"):
        pytest.skip(f"pyright fetches itself when it runs first, and could not: {ran.stderr.strip()[-200:]}")
    found: Findings = {}
    for each in json.loads(ran.stdout)["generalDiagnostics"]:
        add(found, each["range"]["start"]["line"] + 1, each["severity"], each["message"])
    return found


@pytest.fixture(scope="module", params=[mypy, pyright], ids=["mypy", "pyright"])
def checked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Findings]:
    """A checker's name, and what it says of each line of the program, which lies in a folder of its own."""
    folder = tmp_path_factory.mktemp("typing")
    (folder / "program.py").write_text(PROGRAM.read_text())
    return request.param.__name__, request.param(folder)


LINES = [(number, line) for number, line in enumerate(PROGRAM.read_text().splitlines(), 1) if "  # -> " in line]


def expected(line: str, checker: str) -> str:
    """Where the two differ, pyright's word stands second: `# -> Stream[Any, Any] | pyright: Stream[str, Any]`."""
    said, _, own = line.split("  # -> ")[1].partition(" | pyright: ")
    return own if own and checker == "pyright" else said


def test_each_expectation_is_read() -> None:
    assert len(LINES) > 100


def test_nothing_else_is_said(checked: tuple[str, Findings]) -> None:
    known = {number for number, _ in LINES}
    assert {number: said for number, said in checked[1].items() if number not in known} == {}


def test_what_is_known(checked: tuple[str, Findings]) -> None:
    checker, findings = checked
    wanted = {number: expected(line, checker) for number, line in LINES}
    assert {number: findings.get(number) for number in wanted} == wanted


def test_the_package_says_that_it_is_typed() -> None:
    """Without `py.typed` a checker passes over the types of an installed package."""
    assert files("millstream").joinpath("py.typed").is_file()
