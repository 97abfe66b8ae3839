"""Which failures a worker survives (X18)."""

from __future__ import annotations

from millstream.errors import BrokerUnavailableError, KafkaError, PlanMismatchError, ProcessingError
from millstream.runtime.renewals import Renewals

LIMIT_MS = 60_000
LOST = KafkaError("not written in time", code=-192, retriable=True)
FENCED = KafkaError("fenced", code=90, fatal=True)
REFUSED = KafkaError("not authorised", code=29)


def failed(renewals: Renewals, error, at: float = 0.0, lived_ms: float = 10.0) -> int | None:
    return renewals.failed(error, began_ms=at - lived_ms, now_ms=at)


def test_errors_that_may_pass_are_survived_with_longer_and_longer_pauses():
    renewals = Renewals("stop", LIMIT_MS)
    assert [failed(renewals, LOST, at) for at in (0, 1_000, 2_000)] == [200, 400, 800]
    assert failed(Renewals("stop", LIMIT_MS), FENCED) == 200


def test_they_are_not_survived_for_ever():
    renewals = Renewals("stop", LIMIT_MS)
    assert failed(renewals, LOST, 0) is not None
    assert failed(renewals, LOST, LIMIT_MS + 1) is None


def test_a_worker_that_ran_well_in_between_begins_a_new_series():
    renewals = Renewals("stop", LIMIT_MS)
    failed(renewals, LOST, 0)
    assert failed(renewals, LOST, 10 * LIMIT_MS, lived_ms=2 * LIMIT_MS) == 200


def test_a_broker_that_is_away_is_waited_for_unless_nobody_ever_answered():
    away = BrokerUnavailableError("nobody at 127.0.0.1:1")
    assert failed(Renewals("replace", LIMIT_MS), away) is None
    renewals = Renewals("stop", LIMIT_MS)
    failed(renewals, LOST, 0)
    assert failed(renewals, away, 1_000) == 400


def test_by_default_a_failing_record_ends_the_worker():
    assert failed(Renewals("stop", LIMIT_MS), ProcessingError("task 0_0, in-0 offset 3: boom")) is None
    assert failed(Renewals("stop_all", LIMIT_MS), ProcessingError("task 0_0, in-0 offset 3: boom")) is None


def test_replaced_workers_stop_at_a_record_that_fails_again_and_again():
    renewals = Renewals("replace", LIMIT_MS)
    poison, other = ProcessingError("task 0_0, in-0 offset 3: boom"), ProcessingError("task 0_1, in-1 offset 9: boom")
    found = [failed(renewals, error, at) is None for at, error in enumerate((poison, other, poison, poison, poison))]
    assert found == [False, False, False, False, True]


def test_what_the_user_must_mend_is_never_survived():
    assert failed(Renewals("replace", LIMIT_MS), PlanMismatchError("another plan")) is None
    assert failed(Renewals("stop", LIMIT_MS), REFUSED) is None
