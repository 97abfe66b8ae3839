"""docs/settings.md, made of the settings as they are declared. `python -m tests.settings_page` writes it anew."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from millstream.config import Settings, documented, written_name
from millstream.duration import UNITS_MS
from millstream.size import UNITS, parse_bytes

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"

HEAD = """\
# Settings

<!-- Written by `python -m tests.settings_page` out of `millstream.config`; a test holds it to that. -->

The program says what it needs, and where it runs may say otherwise. What comes later counts more:

| | |
|---|---|
| 1. the default | |
| 2. the code | `ms.App("qos", commit_interval="10s", kafka={"client.id": "qos-1"})` |
| 3. a file in TOML | `millstream.toml` beside the program, or what `MILLSTREAM_CONFIG` or `--config` names |
| 4. the environment | `MILLSTREAM_COMMIT_INTERVAL=10s`, `MILLSTREAM_KAFKA_CLIENT_ID=qos-1` |
| 5. the command line | `millstream run qos.py --set commit_interval=10s --set kafka.client.id=qos-1` |
| 6. the code, later | `app.configure(commit_interval_ms=10_000)`, with names as in `app.settings` |

Properties of Kafka (`kafka`, `consumer`, `producer`, `topic`) are put together one by one; in the file they are tables:

```toml
commit_interval = "10s"
store = "rocksdb"

[kafka]
security.protocol = "SASL_SSL"
```

Durations are numbers of milliseconds or texts such as `"500ms"`, `"10s"`, `"5m"`, `"1h"`, `"2d"`; sizes are numbers of
bytes or texts such as `"64MB"`. In `app.settings`, durations have names that end in `_ms`. What is unknown is refused
with the nearest name, wherever it stands:

```python
import millstream as ms

app = ms.App("qos", commit_interval="10s")
assert app.settings.commit_interval_ms == 10_000
try:
    ms.App("qos", comit_interval="10s")
except ms.MillstreamError as error:
    assert "did you mean 'commit_interval'?" in str(error)
```

What Kafka Streams calls them is told in [from-kafka-streams.md](from-kafka-streams.md#settings).
"""

# the first setting of each group, and what the group is about; the order is that of the declarations
GROUPS = {
    "application_id": "The application",
    "processing_guarantee": "Guarantees, results and state",
    "buffer_records": "Reading",
    "on_decode_error": "Records that fail",
    "kafka": "Kafka",
    "http": "What a worker tells",
    "broker_timeout": "Waiting and giving up",
}


def page() -> str:
    lines = [HEAD.rstrip()]
    declared = {written_name(field.name): field for field in fields(Settings)}
    for name, default, doc, variable in documented():
        if name in GROUPS:
            lines += [f"\n## {GROUPS[name]}\n", "| setting | default | | variable |", "|---|---|---|---|"]
        field = declared[name]
        written = _written(default, is_ms=field.name.endswith("_ms"), is_size=field.metadata["parse"] is parse_bytes)
        cells = (name, "" if name == "application_id" else written, None, variable or "")
        told = [_cell(doc) if each is None else f"`{each}`" if each else "" for each in cells]
        lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


def _written(default: Any, *, is_ms: bool, is_size: bool) -> str:
    """As the user would write it, in the largest unit without a fraction."""
    if isinstance(default, int) and not isinstance(default, bool) and default > 0 and (is_ms or is_size):
        units = UNITS_MS if is_ms else UNITS
        unit = max((unit for unit in units if default % units[unit] == 0 and unit != "KB"), key=units.__getitem__)
        return f'"{default // units[unit]}{unit}"'
    if isinstance(default, str | Path):
        return f'"{default}"'
    return repr(default)


def _cell(doc: str) -> str:
    return doc.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
