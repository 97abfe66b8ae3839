"""SaslHandshake and SaslAuthenticate where there is no login to go through: without accounts, or behind it."""

from __future__ import annotations

from typing import Any

from kio.schema.errors import ErrorCode

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.security.login import Authenticated, Shaken


def sasl_handshake(_broker: Broker, _call: Call, _message: Any, reply: Reply) -> None:
    reply(Shaken(ErrorCode.illegal_sasl_state, ()))


def sasl_authenticate(_broker: Broker, _call: Call, _message: Any, reply: Reply) -> None:
    reply(Authenticated(ErrorCode.illegal_sasl_state, "there is no login to go through on this connection"))
