"""`python -m tests.conformance FOLDER [TEXT] [--store KIND]`: run the cases whose name or tags contain the text."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path

from millstream.plan.nodes import StoreType
from tests.conformance.runner import cases_in, run


def main(folder: str, select: str, store: StoreType) -> int:
    passed, failed = 0, 0
    unsupported: Counter[str] = Counter()
    for case in cases_in(Path(folder)):
        if select not in case["name"] and select not in case.get("tags", ()):
            continue
        verdict = run(case, store)
        if verdict.unsupported is not None:
            unsupported[verdict.unsupported] += 1
        elif verdict.difference is not None:
            failed += 1
            print(f"FAILED {verdict.name}: {verdict.difference}")
        else:
            passed += 1
    for what, count in unsupported.most_common():
        print(f"{count} cases need what is not there yet: {what}")
    failed += unsupported.total()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m tests.conformance")
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("select", metavar="TEXT", nargs="?", default="", help="part of a case's name, or a tag")
    parser.add_argument("--store", choices=("memory", "rocksdb"), default="memory", help="where stores keep their rows")
    given = parser.parse_args()
    sys.exit(main(given.folder, given.select, given.store))
