"""The shared cases whose operators are there must all pass; the others are counted, so that none is lost from sight."""

from __future__ import annotations

import pytest

from millstream.plan.nodes import StoreType
from tests.conformance.runner import cases_in, run
from tests.shared import CONFORMANCE

SUPPORTED = 634


@pytest.mark.shared
@pytest.mark.parametrize("store", ["memory", "rocksdb"])
def test_every_case_that_can_run_gives_the_answer_of_kafka_streams(store: StoreType) -> None:
    verdicts = [run(case, store) for case in cases_in(CONFORMANCE)]
    wrong = [f"{verdict.name}: {verdict.difference}" for verdict in verdicts if verdict.difference is not None]
    ran = [verdict for verdict in verdicts if verdict.unsupported is None]
    assert not wrong, "\n".join(wrong)
    assert len(ran) >= SUPPORTED
