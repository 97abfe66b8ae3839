"""Types flow through a program: what mypy, strict, knows of each step; and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api

PROGRAM = Path(__file__).with_name("typed_program.txt")
SHORT = re.compile(r"(?:millstream\.[a-z_.]+|program)\.(?=[A-Z])")


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """What mypy says of each line of the program."""
    folder = tmp_path_factory.mktemp("typing")
    program = folder / "program.py"
    program.write_text(PROGRAM.read_text())
    out, errors, _ = api.run(["--strict", "--no-error-summary", "--cache-dir", str(folder / "cache"), str(program)])
    assert not errors
    found: dict[int, str] = {}
    for line in out.splitlines():
        place = re.match(r"\S*program\.py:(\d+): (\w+): (?:Revealed type is \"(.*)\")?", line)
        assert place is not None, line
        number, kind, revealed = place.groups()
        found.setdefault(int(number), "error" if kind == "error" else SHORT.sub("", revealed or ""))
    return found


LINES = [(number, line) for number, line in enumerate(PROGRAM.read_text().splitlines(), 1) if "  # -> " in line]


def test_each_expectation_is_read() -> None:
    assert len(LINES) > 60


def test_mypy_says_nothing_else(findings: dict[int, str]) -> None:
    expected = {number for number, _ in LINES}
    assert {number: said for number, said in findings.items() if number not in expected} == {}


@pytest.mark.parametrize(("number", "line"), LINES, ids=[f"line {number}" for number, _ in LINES])
def test_what_is_known(findings: dict[int, str], number: int, line: str) -> None:
    assert findings.get(number) == line.split("  # -> ")[1]
