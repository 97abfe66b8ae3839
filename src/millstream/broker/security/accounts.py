"""Names and passwords of those who may log in."""

from __future__ import annotations

import hmac
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Accounts:
    """Passwords by name. They are kept out of everything that is printed.

    >>> accounts = Accounts({"ann": "secret"})
    >>> accounts, accounts.admits("ann", "secret"), accounts.admits("ann", "guess"), accounts.admits("bob", "secret")
    (Accounts(), True, False, False)
    """

    passwords: Mapping[str, str] = field(repr=False)

    def admits(self, name: str, password: str) -> bool:
        """Whether name and password belong together; takes as long for a wrong name as for a wrong password."""
        known = self.passwords.get(name)
        same = hmac.compare_digest((known or "").encode(), password.encode())
        return known is not None and same


def read_accounts(path: Path) -> Accounts:
    """Accounts from a TOML file with a line `name = "password"` for each.

    Raises ValueError, without a password in it, for a file that cannot be read or is something else.
    """
    try:
        found = tomllib.loads(path.read_text())
    except OSError as error:
        raise ValueError(f"the accounts in {path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise ValueError(f'{path} is no TOML file with a line such as ann = "secret" for each account') from None
    for name, password in found.items():
        if not isinstance(password, str) or not password:
            raise ValueError(f"{path}: the password of {name!r} must be a text that is not empty")
    if not found:
        raise ValueError(f"{path} names no account, so nobody could log in")
    return Accounts(found)
