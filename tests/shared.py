"""The material beside the checkout: conformance cases and real reports, which the repository holds no copy of."""

from __future__ import annotations

from pathlib import Path

SHARED = Path(__file__).parents[2] / "shared"
CONFORMANCE = SHARED / "conformance"
LUMOS = SHARED / "data" / "lumos-client-reports.csv.gz"
