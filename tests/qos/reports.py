"""Reports for tests: good ones, unless a field says otherwise."""

from __future__ import annotations

from typing import Any

from examples.qos.model import Benchmark, Report

BENCHMARK = Benchmark(throughput_kbps=10_000, startup_ms=500, rebuffer_ratio=0.01)


def report(**fields: Any) -> Report:
    good: dict[str, Any] = {
        "session": "s1",
        "number": 1,
        "location": "Porto",
        "cdn": "meridian",
        "bitrate_kbps": 3_000,
        "throughput_kbps": 10_000,
        "chunk_kbit": 12_000,
        "chunk_ms": 4_000,
        "delivery_ms": 1_200,
        "startup_ms": 0,
        "rebuffer_ms": 0,
    }
    return Report(**(good | fields))


def slow(throughput_kbps: int = 1_000, **fields: Any) -> Report:
    return report(throughput_kbps=throughput_kbps, delivery_ms=4_500, **fields)
