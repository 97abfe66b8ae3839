"""The numbers of the definitions in README.md: topics, thresholds, delays. Each stands here once."""

from __future__ import annotations

from typing import Final

# --- topics

REPORTS: Final = "client-reports"
BENCHMARKS: Final = "cdn-benchmarks"
ALERTS: Final = "qos-alerts"
LOCATIONS: Final = "qos-locations"
ANOMALIES: Final = "qos-anomalies"
DROPOFFS: Final = "viewer-dropoffs"
DEAD_LETTERS: Final = "qos-dead-letters"

PARTITIONS: Final = 4

# --- the feed

TICK_MS: Final = 1_000
FINAL_TICK_MS: Final = 30_000

# --- a bad report

SLOW_START_MS: Final = 3_000

# --- alerts: windows per location and CDN

WINDOW_MS: Final = 10_000
GRACE_MS: Final = 5_000
SILENT_GROUP_MS: Final = 30_000

MIN_REPORTS: Final = 10
MIN_STARTS: Final = 8

OPEN_BAD_SHARE: Final = 0.15
OPEN_THROUGHPUT: Final = 0.5
OPEN_STARTUP: Final = 2.0
OPEN_REBUFFER: Final = 0.10

BACK_BAD_SHARE: Final = 0.15
BACK_THROUGHPUT: Final = 0.6
BACK_STARTUP: Final = 1.5
BACK_REBUFFER: Final = 0.05

# --- anomalies: one stream against its own past

MIN_CHUNK_KBIT: Final = 1_000
WARM_UP: Final = 5
ALPHA: Final = 0.2
MIN_DEVIATION: Final = 0.3
FALL_SCORE: Final = -3.0
BACK_SCORE: Final = -1.5
FALL_READINGS: Final = 2
BACK_READINGS: Final = 2
SETTLED_READINGS: Final = 20
FORGET_MS: Final = 600_000

# --- drop-offs

SILENT_SESSION_MS: Final = 10_000
LAST_REPORTS: Final = 3

# --- live mode: how far stream time may stay behind the wall clock before the wall clock fires what is due

WALL_ALLOWANCE_MS: Final = 5_000
