"""The login of one connection: SaslHandshake, then SaslAuthenticate until it is done (KIP-43, KIP-152)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kio.schema.errors import ErrorCode

from millstream.broker.protocol.apis import API_VERSIONS, SASL_AUTHENTICATE, SASL_HANDSHAKE
from millstream.broker.protocol.codec import Request
from millstream.broker.security.accounts import Accounts
from millstream.broker.security.mechanisms import MECHANISMS, Mechanism, Random, RefusedLoginError


@dataclass(frozen=True, slots=True)
class Shaken:
    error_code: ErrorCode
    mechanisms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Authenticated:
    error_code: ErrorCode
    error_message: str | None = None
    auth_bytes: bytes = b""
    session_lifetime: timedelta = timedelta()


class Login:
    """Answers requests until it is `done`; where it is `refused`, the connection is to be closed behind the answer.

    `takes` tells whether a request may be answered before the login: others end the connection.
    """

    def __init__(self, accounts: Accounts, mechanisms: Sequence[str], random: Random) -> None:
        self._accounts = accounts
        self._mechanisms = tuple(mechanisms)
        self._random = random
        self._running: Mechanism | None = None
        self.refused = ""

    @property
    def done(self) -> bool:
        return self._running is not None and self._running.done

    @property
    def name(self) -> str:
        return "" if self._running is None else self._running.name

    @staticmethod
    def takes(request: Request) -> bool:
        return request.api_key in (API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE)

    def answer(self, request: Request) -> Any:
        """The answer to a SaslHandshake or SaslAuthenticate request."""
        if request.api_key == SASL_HANDSHAKE:
            return self._shake(request.message.mechanism)
        return self._step(request.message.auth_bytes)

    def _shake(self, mechanism: str) -> Shaken:
        if self._running is not None:
            self.refused = "a second SaslHandshake"
            return Shaken(ErrorCode.illegal_sasl_state, self._mechanisms)
        if mechanism not in self._mechanisms:
            self.refused = f"mechanism {mechanism[:40]!r}"
            return Shaken(ErrorCode.unsupported_sasl_mechanism, self._mechanisms)
        self._running = MECHANISMS[mechanism](self._accounts, self._random)
        return Shaken(ErrorCode.none, self._mechanisms)

    def _step(self, data: bytes) -> Authenticated:
        if self._running is None or self._running.done:
            self.refused = "SaslAuthenticate out of turn"
            return Authenticated(ErrorCode.illegal_sasl_state, "SaslHandshake comes before SaslAuthenticate")
        try:
            return Authenticated(ErrorCode.none, None, self._running.step(data))
        except RefusedLoginError as error:
            self.refused = str(error)
            return Authenticated(ErrorCode.sasl_authentication_failed, f"Authentication failed: {error}")
