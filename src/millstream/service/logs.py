"""Logs as JSON: an object on each line."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec

# What every record has; what else it has was given with `extra=`.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Time (UTC), level, logger and message, whatever was given with `extra=`, and the traceback of an exception.

    >>> JsonFormatter().format(logging.makeLogRecord({"msg": "on", "created": 0.5, "levelname": "INFO"}))
    '{"time":"1970-01-01T00:00:00.500+00:00","level":"INFO","logger":null,"message":"on"}'
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _USUAL}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def log_as_json(level: int = logging.INFO) -> None:
    """Write the logs of the whole program to standard error as JSON, in place of what was set up before."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
