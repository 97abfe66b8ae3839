"""Every rule of the rule book has a test that cites it, or stands in docs/rules.md with the reason why it has none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.shared import SHARED

ROOT = Path(__file__).parents[1]
EXCEPTIONS = ROOT / "docs" / "rules.md"
RULE = re.compile(r"\b[A-Z]{1,2}\d{1,2}\b")
ROW = re.compile(r"^\| ([A-Z]{1,2}\d{1,2}) \|", re.MULTILINE)


def excepted() -> set[str]:
    return set(ROW.findall(EXCEPTIONS.read_text()))


def cited() -> set[str]:
    """The ids that stand in tests, with spans as in `J19-J22` spelled out."""
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        if path != Path(__file__):
            text = path.read_text()
            found |= set(RULE.findall(text))
            for letters, first, last in re.findall(r"\b([A-Z]{1,2})(\d{1,2})-\1?(\d{1,2})\b", text):
                found |= {f"{letters}{number}" for number in range(int(first), int(last) + 1)}
    return found


@pytest.mark.shared
def test_every_rule_is_cited_by_a_test_or_excepted_with_a_reason() -> None:
    rules = set(ROW.findall((SHARED / "KAFKA_STREAMS_RULES.md").read_text()))
    assert len(rules) > 100
    assert sorted(rules - cited() - excepted()) == []


@pytest.mark.shared
def test_no_exception_outlives_its_reason() -> None:
    rules = set(ROW.findall((SHARED / "KAFKA_STREAMS_RULES.md").read_text()))
    assert sorted(excepted() - rules) == [], "not in the rule book"
    assert sorted(excepted() & cited()) == [], "a test cites it now: take it out of docs/rules.md"


def test_a_span_of_rules_cites_each_of_them(tmp_path: Path) -> None:
    assert "W3" in cited()
    assert RULE.findall("rules X14-X19 and T6") == ["X14", "X19", "T6"]
