"""Regular expressions that clients send: Kafka's are RE2's, of which this takes what Python's mean as well."""

from __future__ import annotations

import re

_LONGEST = 1_000
_NOT_IN_RE2 = re.compile(
    r"""
      (?:^|[^\\])(?:\\\\)*              # not escaped:
      (?: \(\? (?: [=!>(\#] | <[=!] | P= )   # looking around, atomic and conditional groups, comments, references
        | \\ [1-9Zz]                      # references, and ends of text that differ
        | [*+?}] \+                     # possessive
      )
    """,
    re.VERBOSE,
)


class InvalidPatternError(Exception):
    """The text is no regular expression that can be served."""


def compiled(text: str) -> re.Pattern[str]:
    """The pattern, to be matched against whole names. Raises InvalidPatternError.

    >>> bool(compiled("alerts-.*").fullmatch("alerts-de"))
    True
    >>> compiled("(?=a)")
    Traceback (most recent call last):
    millstream.broker.patterns.InvalidPatternError: '(?=a)' holds what RE2 does not have
    """
    if len(text) > _LONGEST:
        raise InvalidPatternError(f"a pattern of {len(text)} characters is longer than {_LONGEST}")
    if _NOT_IN_RE2.search(text):
        raise InvalidPatternError(f"{text!r} holds what RE2 does not have")
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidPatternError(f"{text!r} is no regular expression: {error}") from error
