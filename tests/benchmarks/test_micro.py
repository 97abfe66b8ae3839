"""The micro-benchmarks: each case runs whole, and what has become dearer is told."""

from __future__ import annotations

import subprocess

import pytest
from benchmarks.measure import ROOT
from benchmarks.micro import WORKLOADS, Case, compare, cost, main, package_of


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("size", [1, 100])
def test_every_record_of_a_case_is_processed(workload: str, size: int) -> None:
    assert cost(Case(workload, 50, size), 1_000) > 0


def test_a_revision_that_cannot_be_driven_is_left_out(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "millstream").mkdir()
    (tmp_path / "millstream" / "__init__.py").write_text("raise RuntimeError('of another age')")
    ((_, us, before),) = compare([Case("W1", 50, 100)], 1_000, 2, tmp_path)
    assert us > 0
    assert before is None
    assert "of another age" in capsys.readouterr().err


def test_what_became_dearer_than_the_limit_fails(monkeypatch: pytest.MonkeyPatch, capsys, tmp_path) -> None:
    costs = {ROOT / "src": 1.6, tmp_path: 1.0}
    monkeypatch.setattr("benchmarks.micro.cost_of", lambda package, case, records: costs[package])
    monkeypatch.setattr("benchmarks.micro.package_of", lambda revision, folder: tmp_path)
    monkeypatch.setattr("sys.argv", ["micro", "--only", "W1", "--short", "--against", "before"])
    assert main() == 1
    assert "W1, 1,000 keys, rounds of 100: more than 1.5 times as dear as before" in capsys.readouterr().err
    costs[ROOT / "src"] = 1.4
    assert main() == 0


def test_the_package_of_a_revision(tmp_path) -> None:
    if subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, check=False).returncode:
        pytest.skip("not a repository")
    assert (package_of("HEAD", tmp_path) / "millstream" / "__init__.py").exists()
    with pytest.raises(SystemExit, match="there is no revision 'nowhere'"):
        package_of("nowhere", tmp_path)
