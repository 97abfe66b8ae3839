"""A report is bad for its first cause."""

from __future__ import annotations

import pytest
from examples.qos.quality import cause

from tests.qos.reports import report


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, None),
        ({"delivery_ms": 4_000}, None),
        ({"delivery_ms": 4_001}, "slow delivery"),
        ({"rebuffer_ms": 1}, "rebuffering"),
        ({"rebuffer_ms": 1, "delivery_ms": 9_000}, "rebuffering"),
        ({"startup_ms": 3_000}, None),
        ({"startup_ms": 3_001}, "slow start-up"),
    ],
)
def test_cause(fields, name):
    assert cause(report(**fields)) == name
