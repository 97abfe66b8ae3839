"""Run seeds: `python -m tests.simulator SEED` tells the story of one, `FIRST:END` runs many and tells what fails."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from tests.simulator.bugs import BUGS, Bug
from tests.simulator.scenarios import SCENARIOS
from tests.simulator.schedule import told
from tests.simulator.simulation import ALL, GUARANTEES, Wanted, simulate, surroundings


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("seeds", help="a seed, or FIRST:END")
    parser.add_argument("--guarantee", choices=("at_least_once", "exactly_once_v2"), help="this one only")
    parser.add_argument("--scenario", choices=[each.name for each in SCENARIOS], help="this program only")
    parser.add_argument(
        "--bugs", nargs="?", const="", help="plant each known bug (or this one), and tell what finds it"
    )
    parser.add_argument("--standbys", type=int, help="so many standby copies of each task, in each seed")
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of strings have their order from it
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulator", *sys.argv[1:]])
    options = parser.parse_args()
    first, _, end = options.seeds.partition(":")
    seeds = range(int(first), int(end or int(first) + 1))
    if options.bugs is not None:
        return hunt(seeds, [options.bugs] if options.bugs else list(BUGS))
    wanted = Wanted(
        tuple(each for each in SCENARIOS if options.scenario in (None, each.name)),
        (options.guarantee,) if options.guarantee else GUARANTEES,
        standbys=ALL.standbys if options.standbys is None else (options.standbys,),
    )
    return many(seeds, wanted) if end else one(seeds[0], wanted)


def one(seed: int, wanted: Wanted) -> int:
    with surroundings() as folder:
        outcome = simulate(seed, folder, wanted)
    print("\n".join(told(outcome.story)))
    print(f"seed {seed}, {outcome.scenario}, {outcome.counts}")
    for violation in outcome.violations:
        print(f"VIOLATION: {violation}")
    return bool(outcome.violations)


def many(seeds: range, wanted: Wanted) -> int:
    failed = 0
    began_s = time.process_time()
    with surroundings() as folder:
        for seed in seeds:
            outcome = simulate(seed, folder, wanted)
            if outcome.violations:
                failed += 1
                print(f"seed {seed}, {outcome.scenario}: {outcome.violations[0][:400]}", flush=True)
    print(f"{len(seeds)} seeds, {failed} failed, {time.process_time() - began_s:.1f} s of CPU")
    return bool(failed)


def hunt(seeds: range, names: list[str]) -> int:
    """A line of JSON for each bug: its name, and the first seed that finds it with what it says, or null."""
    missed = 0
    with surroundings() as folder:
        for name in names:
            found = next((each for seed in seeds if (each := found_by(seed, BUGS[name], folder))), None)
            missed += found is None
            print(json.dumps([name, found]), flush=True)
    return bool(missed)


def found_by(seed: int, bug: Bug, folder: Path) -> tuple[int, str] | None:
    """The seed with what it says, if it fails with the bug and not without."""
    wanted = Wanted(bug.scenarios, (bug.guarantee,), bug.faults, bug.standbys)
    with bug.plant():
        outcome = simulate(seed, folder, wanted)
    if not outcome.violations or simulate(seed, folder, wanted).violations:
        return None
    return seed, outcome.violations[0]


if __name__ == "__main__":
    sys.exit(main())
