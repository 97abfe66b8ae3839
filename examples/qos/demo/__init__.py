"""The application at work on a match, shown in the terminal: what `millstream demo` runs."""

from .options import Options, parse_speed
from .run import run

__all__ = ["Options", "parse_speed", "run"]
