"""`millstream broker`: the embedded broker by itself. Its options are the broker's own."""

from __future__ import annotations

import typer

from millstream.broker.__main__ import main as serve

OWN_OPTIONS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def broker(context: typer.Context) -> None:
    """Run a Kafka broker for one machine until Ctrl-C or SIGTERM; one line tells when it is ready."""
    raise typer.Exit(serve(context.args, prog="millstream broker"))
