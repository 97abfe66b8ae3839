from __future__ import annotations

from millstream.runtime.patience import PAUSE_MS, Patience


def failing(*times_ms: int) -> Patience:
    patience = Patience(limit_ms=100_000)
    for now_ms in times_ms:
        patience = patience.after_failure(now_ms)
    return patience


def test_an_unbroken_series_ends_patience():
    assert not failing(0, 50_000, 100_000).exhausted()
    assert failing(0, 50_000, 100_001).exhausted()


def test_a_single_failure_is_borne():
    assert not failing(1_000_000).exhausted()


def test_success_begins_anew():
    assert not failing(0, 80_000).after_success().after_failure(150_000).exhausted()


def test_failures_far_apart_are_no_series():
    assert not failing(0, PAUSE_MS + 1, 2 * PAUSE_MS + 2).exhausted()


def test_it_is_failing_until_a_success_or_long_enough_after():
    assert not failing().failing(0)
    assert failing(1_000).failing(1_000 + PAUSE_MS)
    assert not failing(1_000).failing(1_001 + PAUSE_MS)
    assert not failing(1_000).after_success().failing(1_001)
