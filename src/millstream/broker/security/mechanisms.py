"""SASL mechanisms as the server plays them: bytes from the client in, bytes back, until it is clear who it is.

Pure: random numbers are passed in. PLAIN is RFC 4616, SCRAM is RFC 5802 with SHA-256 or SHA-512.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

from millstream.broker.security.accounts import Accounts

ITERATIONS = 4096
_SALT_BYTES = 16
_NONCE_BYTES = 24

Random: TypeAlias = Callable[[int], bytes]
"""So many random bytes."""
HashName: TypeAlias = Literal["sha256", "sha512"]


class RefusedLoginError(Exception):
    """The client is not who it says, or does not keep to the mechanism. The message is told to it."""


class Mechanism(Protocol):
    """One login. `name` is who it is once `done`."""

    name: str
    done: bool

    def step(self, data: bytes) -> bytes:
        """The answer to the client's bytes. Raises RefusedLoginError."""


class Plain:
    r"""Name and password as they are: for connections that are encrypted otherwise.

    >>> login = Plain(Accounts({"ann": "secret"}))
    >>> login.step(b"\0ann\0secret"), login.name, login.done
    (b'', 'ann', True)
    """

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self.name = ""
        self.done = False

    def step(self, data: bytes) -> bytes:
        parts = data.split(b"\0")
        try:
            on_behalf_of, name, password = (part.decode() for part in parts)
        except ValueError:
            raise RefusedLoginError("PLAIN takes [authzid] NUL name NUL password") from None
        if on_behalf_of not in ("", name):
            raise RefusedLoginError("nobody may act for another account")
        if not self._accounts.admits(name, password):
            raise RefusedLoginError("wrong name or password")
        self.name, self.done = name, True
        return b""


class Scram:
    """Proof that both sides know the password, without either showing it."""

    def __init__(self, accounts: Accounts, hash_name: HashName, random: Random) -> None:
        self._accounts = accounts
        self._hash: HashName = hash_name
        self._random = random
        self._salt = random(_SALT_BYTES)
        self._first_bare = self._nonce = self._server_first = ""
        self._header = ""
        self.name = ""
        self.done = False

    def step(self, data: bytes) -> bytes:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise RefusedLoginError("SCRAM messages are UTF-8") from None
        return (self._final(text) if self._server_first else self._first(text)).encode()

    def _first(self, text: str) -> str:
        header, bare = _without_header(text)
        fields = _fields(bare)
        name, nonce = fields.get("n"), fields.get("r")
        if not name or not nonce or "m" in fields:
            raise RefusedLoginError("the first message of SCRAM must name a user and a nonce")
        self._header, self._first_bare = header, bare
        self.name = name.replace("=2C", ",").replace("=3D", "=")
        self._nonce = nonce + base64.b64encode(self._random(_NONCE_BYTES)).decode()
        self._server_first = f"r={self._nonce},s={base64.b64encode(self._salt).decode()},i={ITERATIONS}"
        return self._server_first

    def _final(self, text: str) -> str:
        without_proof, found, proof = text.rpartition(",p=")
        fields = _fields(without_proof)
        header = base64.b64encode(self._header.encode()).decode()
        if not found or self.done or fields.get("r") != self._nonce or fields.get("c") != header:
            raise RefusedLoginError("the last message of SCRAM does not fit the first")
        password = self._accounts.passwords.get(self.name)
        # an unknown name costs, and says, the same as a wrong password
        salted = hashlib.pbkdf2_hmac(self._hash, (password or "").encode(), self._salt, ITERATIONS)
        client_key = self._hmac(salted, b"Client Key")
        stored_key = hashlib.new(self._hash, client_key).digest()
        signed = f"{self._first_bare},{self._server_first},{without_proof}".encode()
        signature = self._hmac(stored_key, signed)
        expected = bytes(key ^ part for key, part in zip(client_key, signature, strict=True))
        if not hmac.compare_digest(base64.b64encode(expected).decode(), proof) or password is None:
            raise RefusedLoginError("wrong name or password")
        self.done = True
        return "v=" + base64.b64encode(self._hmac(self._hmac(salted, b"Server Key"), signed)).decode()

    def _hmac(self, key: bytes, data: bytes) -> bytes:
        return hmac.digest(key, data, self._hash)


def _without_header(text: str) -> tuple[str, str]:
    """The GS2 header, which says that no channel is bound, and what comes after it."""
    flag, _, rest = text.partition(",")
    authzid, found, bare = rest.partition(",")
    if flag not in ("n", "y") or not found:
        raise RefusedLoginError("channel binding is not served; the first message of SCRAM begins with n,,")
    if authzid:
        raise RefusedLoginError("nobody may act for another account")
    return f"{flag},{authzid},", bare


def _fields(text: str) -> dict[str, str]:
    return {name: value for name, _, value in (part.partition("=") for part in text.split(","))}


MECHANISMS: dict[str, Callable[[Accounts, Random], Mechanism]] = {
    "PLAIN": lambda accounts, _random: Plain(accounts),
    "SCRAM-SHA-256": lambda accounts, random: Scram(accounts, "sha256", random),
    "SCRAM-SHA-512": lambda accounts, random: Scram(accounts, "sha512", random),
}
