"""Regular expressions that clients send: RE2's, as in Kafka, whose time grows with the text and never beyond."""

from __future__ import annotations

from typing import Protocol

import re2

_LONGEST = 1_000
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1024 * 1024


class Pattern(Protocol):
    """What is asked of a compiled pattern: whether it is that of a whole name."""

    def fullmatch(self, text: str, /) -> object:
        """Something true if it is."""


class InvalidPatternError(Exception):
    """The text is no regular expression that can be served."""


def compiled(text: str) -> Pattern:
    """The pattern, to be matched against whole names. Raises InvalidPatternError.

    >>> bool(compiled("alerts-.*").fullmatch("alerts-de"))
    True
    >>> compiled("(?=a)")
    Traceback (most recent call last):
    millstream.broker.patterns.InvalidPatternError: '(?=a)' is no regular expression of RE2: invalid perl operator: (?=
    """
    if len(text) > _LONGEST:
        raise InvalidPatternError(f"a pattern of {len(text)} characters is longer than {_LONGEST}")
    try:
        pattern: Pattern = re2.compile(text, _OPTIONS)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace")
        raise InvalidPatternError(f"{text!r} is no regular expression of RE2: {reason}") from error
    return pattern
