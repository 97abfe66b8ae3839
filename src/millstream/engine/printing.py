"""Records as lines of text, on standard output or in a file: Kafka Streams' `print`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TextIO

from millstream.engine.parts import Downstream, NodeFunction, Parts
from millstream.errors import ProcessingError
from millstream.plan.sinks import Print


class Printing:
    """Writes `[label]: key, value`. A file is opened when the task starts, and written to its end line by line."""

    def __init__(self, node: Print, parts: Parts) -> None:
        self._node = node
        self._shown = None if node.shown is None else node.shown.by_key_and_value
        self._failed = parts.failures.processing
        self._file: TextIO | None = None
        if node.file is not None:
            parts.starts.append(self._open)
            parts.closes.append(self._close)

    def call(self, key: Any, value: Any, _timestamp: int) -> None:
        try:
            text = f"{key}, {value}" if self._shown is None else self._shown(key, value)
            print(f"[{self._node.label}]: {text}", file=self._file)
        except Exception as error:
            self._failed(self._node.name, self._node.site, error)

    def _open(self) -> None:
        try:
            self._file = Path(str(self._node.file)).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115 - till close
        except OSError as error:
            raise ProcessingError(f"{self._node.site}: cannot write to {self._node.file}: {error.strerror}") from error

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def print_node(node: Print, _downstream: Downstream, parts: Parts) -> NodeFunction:
    return Printing(node, parts).call
