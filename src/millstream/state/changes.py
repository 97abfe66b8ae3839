"""What a store has to tell its changelog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from millstream.model import Headers


@dataclass(frozen=True, slots=True)
class Changes:
    """Changelog records as columns; a null value deletes."""

    timestamps: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers] | None = None

    def __len__(self) -> int:
        return len(self.timestamps)
