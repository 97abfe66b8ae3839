"""Questions to a worker over HTTP."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

TIMEOUT_S = 10.0


class WorkerClient:
    """Asks workers by their addresses."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    def ask(
        self, address: str, path: str, parameters: Mapping[str, str] | None = None, *, post: bool = False
    ) -> tuple[int, Any] | None:
        """The HTTP status and the answer; None where nobody answers."""
        host, _, port = address.rpartition(":")
        connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=self._timeout_s)
        try:
            connection.request("POST" if post else "GET", path + ("?" + urlencode(parameters) if parameters else ""))
            answer = connection.getresponse()
            return answer.status, msgspec.json.decode(answer.read())
        except (OSError, http.client.HTTPException, msgspec.DecodeError):
            return None
        finally:
            connection.close()
