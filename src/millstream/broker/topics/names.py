"""Topic names, checked as Kafka checks them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")
_LONGEST = 249


def name_problem(name: str) -> str | None:
    """Why `name` cannot be a topic's, or None.

    >>> name_problem("client-reports")
    >>> name_problem("..")
    "Topic name is invalid: it can't be '.' or '..'"
    """
    if not name:
        return "Topic name is invalid: it can't be empty"
    if name in {".", ".."}:
        return "Topic name is invalid: it can't be '.' or '..'"
    if len(name) > _LONGEST:
        return f"Topic name is invalid: it can't be longer than {_LONGEST} characters"
    if not _LEGAL.fullmatch(name):
        return f"Topic name is invalid: {name!r} holds characters other than ASCII letters, digits, '.', '_' and '-'"
    return None


def colliding_name(name: str, existing: Iterable[str]) -> str | None:
    """The topic that differs from `name` only in '.' and '_' (metric names cannot tell them apart), or None.

    >>> colliding_name("a.b", ["a_b"])
    'a_b'
    """
    folded = name.replace(".", "_")
    if folded == name and "_" not in name:
        return None
    return next((other for other in existing if other != name and other.replace(".", "_") == folded), None)
