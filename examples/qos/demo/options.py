"""What the user asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from millstream.errors import ConfigError

VIEWERS: Final = 5_000
SEED: Final = 7
UNWATCHED_SECONDS: Final = 60.0
FAST_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Options:
    """`reports` None: a simulated match. `speed` None: as fast as it goes. `bootstrap` None: an embedded broker.

    `seconds` is how much of the match is played; None: all of the file, or until the user ends it.
    """

    reports: Path | None = None
    viewers: int = VIEWERS
    speed: float | None = 1.0
    seconds: float | None = None
    bootstrap: str | None = None
    json: bool = False
    seed: int = SEED

    def __post_init__(self) -> None:
        if self.reports is not None and not self.reports.is_file():
            raise ConfigError(f"--reports {self.reports}: there is no such file")
        for name, value in (("viewers", self.viewers), ("seconds", self.seconds), ("speed", self.speed)):
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"--{name} must be above 0, got {value:g}")
        if self.bootstrap is not None and not self.bootstrap.rpartition(":")[2].isdigit():
            raise ConfigError(f"--bootstrap must be HOST:PORT, got {self.bootstrap!r}")


def parse_speed(text: str) -> float | None:
    """`max` as None, else how many times faster than real time.

    >>> parse_speed("max"), parse_speed("2.5")
    (None, 2.5)
    """
    if text == "max":
        return None
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"--speed must be a number or max, got {text!r}") from None


def match_seconds(options: Options, *, watched: bool) -> float | None:
    """How much of the match is played: a simulated one ends by itself only if it is fast, or nobody watches."""
    if options.seconds is not None or options.reports is not None:
        return options.seconds
    if options.speed != 1.0:
        return FAST_SECONDS
    return None if watched else UNWATCHED_SECONDS
