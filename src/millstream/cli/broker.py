"""`millstream broker`: the embedded broker by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from millstream.broker.__main__ import main as serve
from millstream.errors import ConfigError


def broker(
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Port 0 takes a free one.")] = "127.0.0.1:9092",
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the logs.")] = Path(".millstream/data"),
    memory: Annotated[bool, typer.Option("--memory", help="Keep nothing on disk.")] = False,
) -> None:
    """Run a Kafka broker for one machine until Ctrl-C or SIGTERM; one line tells when it is ready."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"--listen must be HOST:PORT, such as 127.0.0.1:9092, got {listen!r}")
    status = serve(["--listen", listen, "--data", str(data), *(["--memory"] if memory else [])])
    raise typer.Exit(status)
