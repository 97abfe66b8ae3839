"""What the simulator once found, each as a small cluster with the faults that it takes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.simulator.faults import CUT, STOP, Climate, Fault
from tests.simulator.network import Weather
from tests.simulator.scenarios import COUNTED, JOINED, KEYS, STATELESS, Row
from tests.simulator.schedule import WALL_BASE_MS
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


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_a_worker_had_left_to_write_when_it_lost_its_tasks_is_not_written_later(seed: int, folder: Path) -> None:
    """Cut off, it had rows of a changelog that it sent again and again: behind those of the next owner, in the end."""
    simulation = Simulation(seed, folder, Wanted((JOINED,), ("at_least_once",)))
    simulation.settings = dataclasses.replace(simulation.settings, store="memory", commit_interval_ms=200)
    faults = (Fault(204, CUT, host=0, for_ms=3_000),)
    simulation.set_climate(Climate(2, (0.0, 1_900.0), Weather(), 0.0, faults))
    outcome = simulated(simulation)
    assert any("loses" in text for _, text, _ in outcome.story)
    assert outcome.violations == []


def _dense(_chance: Random) -> list[Row]:
    return [
        Row(float(at_ms), "in", KEYS[at_ms % len(KEYS)], json.dumps({"id": at_ms, "g": "a"}).encode(), WALL_BASE_MS)
        for at_ms in range(2_000)
    ]


def test_commits_that_are_always_due_do_not_keep_the_group_waiting(folder: Path) -> None:
    """A worker that had something to commit in each turn never came to give tasks up."""
    scenario = dataclasses.replace(STATELESS, feed=_dense)
    simulation = Simulation(1, folder, Wanted((scenario,), ("at_least_once",)))
    simulation.settings = dataclasses.replace(simulation.settings, commit_interval_ms=1)
    simulation.set_climate(Climate(2, (0.0, 300.0), Weather(), 0.0, ()))
    outcome = simulated(simulation)
    assert outcome.violations == []
    given = [
        at_ms for at_ms, text, told in outcome.story if "come" in text and str(told[0]) == "w1.1/group" and told[3]
    ]
    assert given[0] < 1_500
