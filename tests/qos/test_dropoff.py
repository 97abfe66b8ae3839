"""A visit that ends after bad reports is a drop-off, with its main cause."""

from __future__ import annotations

from examples.qos.dropoff import Visit, ended, seen, verdict
from examples.qos.model import Report

from tests.qos.reports import report

GOOD = report()
STALLED = report(rebuffer_ms=500)
SLOW = report(delivery_ms=5_000)


def visit(*reports: Report) -> Visit:
    kept: Visit | None = None
    for number, one in enumerate(reports):
        kept = seen(kept, one, number * 4_000)
    assert kept is not None
    return kept


def reason(*reports: Report) -> str | None:
    dropoff = verdict("s1", visit(*reports))
    return None if dropoff is None else dropoff.reason


def test_most_of_the_last_three_must_be_bad():
    assert reason(GOOD) is None
    assert reason(STALLED) == "rebuffering"
    assert reason(GOOD, SLOW) is None
    assert reason(SLOW, SLOW) == "slow delivery"
    assert reason(GOOD, SLOW, SLOW) == "slow delivery"
    assert reason(SLOW, SLOW, GOOD, GOOD) is None
    assert reason(STALLED, STALLED, STALLED, GOOD, GOOD, SLOW) is None


def test_the_reason_is_the_commonest_cause_then_the_gravest():
    assert reason(SLOW, STALLED, SLOW) == "slow delivery"
    assert reason(GOOD, SLOW, STALLED) == "rebuffering"


def test_it_ends_ten_seconds_after_the_last_report():
    kept = visit(SLOW, SLOW)
    assert not ended(kept, 13_999)
    assert ended(kept, 14_000)
    dropoff = verdict("s1", kept)
    assert dropoff is not None
    assert (dropoff.session, dropoff.location, dropoff.cdn) == ("s1", "Porto", "meridian")
    assert (dropoff.at_ms, dropoff.last_report_ms, dropoff.bad_reports, dropoff.last_reports) == (14_000, 4_000, 2, 2)


def test_a_report_that_is_not_newer_changes_nothing():
    kept = visit(SLOW, SLOW)
    assert seen(kept, GOOD, kept.last_report_ms) == kept
