"""SASL mechanisms step by step: the RFCs' own examples, and what must be refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.broker.security.accounts import Accounts, read_accounts
from millstream.broker.security.mechanisms import MECHANISMS, Plain, RefusedLoginError, Scram

ANN = Accounts({"ann": "secret", "a,b=c": "p,w=d"})
NAMES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


def random(count: int) -> bytes:
    return bytes(range(count))


class Client:
    """The other side of SCRAM, written after RFC 5802."""

    def __init__(self, name: str, password: str, hash_name: str) -> None:
        self.password, self.hash = password, hash_name
        self.bare = f"n={name.replace('=', '=3D').replace(',', '=2C')},r=clientnonce"
        self.first = f"n,,{self.bare}".encode()

    def final(self, server_first: bytes, header: str = "biws") -> bytes:
        text = server_first.decode()
        nonce, salt, iterations = (part[2:] for part in text.split(","))
        assert nonce.startswith("clientnonce")
        assert len(nonce) > len("clientnonce") + 16
        salted = hashlib.pbkdf2_hmac(self.hash, self.password.encode(), base64.b64decode(salt), int(iterations))
        key = hmac.digest(salted, b"Client Key", self.hash)
        without_proof = f"c={header},r={nonce}"
        signed = f"{self.bare},{text},{without_proof}".encode()
        signature = hmac.digest(hashlib.new(self.hash, key).digest(), signed, self.hash)
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        self.expected = hmac.digest(hmac.digest(salted, b"Server Key", self.hash), signed, self.hash)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()


@pytest.mark.parametrize("mechanism", list(NAMES))
@pytest.mark.parametrize(("name", "password"), list(ANN.passwords.items()))
def test_scram_proves_both_sides(mechanism: str, name: str, password: str) -> None:
    login, client = MECHANISMS[mechanism](ANN, random), Client(name, password, NAMES[mechanism])
    answer = login.step(client.final(login.step(client.first)))
    assert (login.name, login.done) == (name, True)
    assert answer == b"v=" + base64.b64encode(client.expected), "the server proves that it knows the password too"


@pytest.mark.parametrize("mechanism", list(NAMES))
@pytest.mark.parametrize(("name", "password"), [("ann", "guess"), ("bob", "secret"), ("bob", "")])
def test_scram_refuses_a_wrong_name_as_it_does_a_wrong_password(mechanism: str, name: str, password: str) -> None:
    login, client = MECHANISMS[mechanism](ANN, random), Client(name, password, NAMES[mechanism])
    final = client.final(login.step(client.first))
    with pytest.raises(RefusedLoginError, match="wrong name or password"):
        login.step(final)
    assert not login.done


def other_nonce(login: Scram, client: Client) -> bytes:
    return client.final(login.step(client.first)).replace(b"r=clientnonce", b"r=clientnoncX")


def other_header(login: Scram, client: Client) -> bytes:
    return client.final(login.step(client.first), header="eSws")


def no_proof(login: Scram, client: Client) -> bytes:
    return client.final(login.step(client.first)).rpartition(b",p=")[0]


@pytest.mark.parametrize("forged", [other_nonce, other_header, no_proof])
def test_scram_refuses_what_does_not_fit_together(forged: Callable[[Scram, Client], bytes]) -> None:
    login = Scram(ANN, "sha256", random)
    message = forged(login, Client("ann", "secret", "sha256"))
    with pytest.raises(RefusedLoginError, match="does not fit"):
        login.step(message)


@pytest.mark.parametrize(
    "first",
    [
        b"p=tls-unique,,n=ann,r=x",
        b"n,a=bob,n=ann,r=x",
        b"n=ann,r=x",
        b"n,,r=x",
        b"n,,n=ann",
        b"n,,m=1,n=ann,r=x",
        b"\xff",
    ],
)
def test_scram_refuses_other_first_messages(first: bytes) -> None:
    with pytest.raises(RefusedLoginError):
        Scram(ANN, "sha256", random).step(first)


@pytest.mark.parametrize(
    ("message", "admitted"),
    [
        (b"\0ann\0secret", True),
        (b"ann\0ann\0secret", True),
        (b"\0ann\0guess", False),
        (b"\0bob\0secret", False),
        (b"bob\0ann\0secret", False),
        (b"\0ann\0", False),
        (b"\0bob\0", False),
        (b"ann\0secret", False),
        (b"\0ann\0sec\0ret", False),
        (b"\0\xff\0secret", False),
    ],
)
def test_plain_takes_name_and_password_only(message: bytes, admitted: bool) -> None:
    login = Plain(ANN)
    if admitted:
        assert (login.step(message), login.done, login.name) == (b"", True, "ann")
        return
    with pytest.raises(RefusedLoginError):
        login.step(message)
    assert not login.done


@given(st.sampled_from(list(MECHANISMS)), st.lists(st.binary(max_size=60), max_size=3))
def test_nonsense_is_refused_and_nothing_else_happens(mechanism: str, messages: list[bytes]) -> None:
    login = MECHANISMS[mechanism](ANN, random)
    for message in messages:
        try:
            login.step(message)
        except RefusedLoginError:
            break
    assert not login.done


def test_accounts_are_read_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text('ann = "secret"\n"b c" = "x"\n')
    accounts = read_accounts(file)
    assert accounts.passwords == {"ann": "secret", "b c": "x"}
    assert "secret" not in repr(accounts)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ann hunter2", "is no TOML file"),
        ("ann = 1", "must be a text"),
        ('ann = ""', "must be a text"),
        ("", "names no"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=said) as refused:
        read_accounts(file)
    assert "hunter2" not in str(refused.value)
    with pytest.raises(ValueError, match="cannot be read"):
        read_accounts(tmp_path / "nowhere")
