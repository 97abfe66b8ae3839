"""`millstream demo`: the example application at work on a match, shown in the terminal."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import millstream
from millstream.errors import ConfigError

PACKAGE = Path(millstream.__file__).resolve().parent


def demo(
    reports: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Real reports to replay, csv or csv.gz; else a simulated match.")
    ] = None,
    viewers: Annotated[int, typer.Option(help="How many watch the simulated match.")] = 5_000,
    speed: Annotated[str, typer.Option(metavar="X|max", help="How many times faster than real time.")] = "1",
    seconds: Annotated[float | None, typer.Option(metavar="N", help="How much of the match is played.")] = None,
    bootstrap: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Brokers of an Apache Kafka; without it an embedded one.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="No live view; the last line is a JSON object.")] = False,
    seed: Annotated[int, typer.Option(help="Another seed is another match.")] = 7,
) -> None:
    """Watch a live match: bad quality of service, streams that fall and viewers who drop off, as it happens."""
    example = load_example("qos.demo")
    options = example.Options(
        reports=reports,
        viewers=viewers,
        speed=example.parse_speed(speed),
        seconds=seconds,
        bootstrap=bootstrap,
        json=json,
        seed=seed,
    )
    raise typer.Exit(example.run(options))


def load_example(name: str) -> Any:
    """A module of the examples: they lie in the package where it is installed, beside it in a checkout."""
    folders = (PACKAGE / "examples", PACKAGE.parents[1] / "examples")
    folder = next((folder for folder in folders if folder.joinpath(*name.split(".")).exists()), None)
    if folder is None:
        raise ConfigError(f"the example {name} is not installed; looked for it in {' and '.join(map(str, folders))}")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return importlib.import_module(name)
