"""`python -m tests.conformance FOLDER [TEXT]`: run the cases whose name or tags contain the text."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.conformance.runner import cases_in, run


def main(folder: str, select: str = "") -> int:
    passed, failed = 0, 0
    unsupported: Counter[str] = Counter()
    for case in cases_in(Path(folder)):
        if select not in case["name"] and select not in case.get("tags", ()):
            continue
        verdict = run(case)
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
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m tests.conformance FOLDER [NAME or TAG]")
    sys.exit(main(*sys.argv[1:]))
