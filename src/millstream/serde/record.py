"""The base of record types."""

from __future__ import annotations

from typing import dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, frozen=True):
    """A typed record: immutable, checked when it is decoded, fast. A `msgspec.Struct`, with all that these can do.

    >>> class Report(Record):
    ...     session: str
    ...     bitrate: int = 0
    >>> Report("s1", 800)
    Report(session='s1', bitrate=800)
    """
