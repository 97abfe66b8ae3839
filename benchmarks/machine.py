"""Where and with what a comparison ran."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from tests.kafka.artifacts import java


def description() -> str:
    """The processor, the versions and the date, in one line."""
    said = subprocess.run([java(), "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    java_version = re.search(r'"([^"]+)"', said)
    versions = [
        f"Python {platform.python_version()}",
        f"confluent-kafka {version('confluent-kafka')}",
        f"Java {java_version[1] if java_version else '?'}",
        "Apache Kafka and Kafka Streams 4.3.1",
    ]
    return f"{_processor()}, {os.cpu_count()} cores; {', '.join(versions)}; {datetime.date.today():%Y-%m-%d}"


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
