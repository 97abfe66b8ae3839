"""docs/observability.md has the metrics that there are, each as it is declared."""

from __future__ import annotations

import re
from pathlib import Path

from millstream.service.metrics import LATENCY, STANDBY, STORE_ROWS, TASK, WORKER

PAGE = Path(__file__).parents[2] / "docs" / "observability.md"


def test_every_metric_stands_on_the_page_as_it_is_declared() -> None:
    declared = [(each.name, each.kind, each.doc) for each in (*WORKER, *TASK, *STANDBY)]
    declared += [(LATENCY[0], "summary", LATENCY[1]), (STORE_ROWS[0], "gauge", STORE_ROWS[1])]
    told = re.findall(r"^\| `(millstream_\w+)` \| (\w+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert sorted(told) == sorted(declared)
