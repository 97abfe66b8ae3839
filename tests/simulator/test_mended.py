"""What the simulator once found, each as a small cluster with the faults that it takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulator.faults import CUT, STOP, Climate, Fault
from tests.simulator.network import Weather
from tests.simulator.scenarios import COUNTED
from tests.simulator.simulation import Simulation, Wanted, simulated, surroundings


@pytest.fixture
def folder() -> Iterator[Path]:
    with surroundings() as found:
        yield found


def test_a_worker_that_loses_its_tasks_during_its_last_commit_ends_well(folder: Path) -> None:
    simulation = Simulation(1, folder, Wanted((COUNTED,), ("at_least_once",)))
    simulation.settings = dataclasses.replace(simulation.settings, commit_interval_ms=10_000)
    faults = (Fault(1_000, CUT, host=0, for_ms=2_000), Fault(1_050, STOP, host=0))
    simulation.set_climate(Climate(1, (0.0,), Weather(), 0.0, faults))
    outcome = simulated(simulation)
    assert outcome.violations == []
    assert any("loses" in text for _, text, _ in outcome.story)
    assert any("ended: {}" in text and given[1] == "None" for _, text, given in outcome.story)
