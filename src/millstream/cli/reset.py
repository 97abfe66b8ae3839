"""`millstream reset`: an application back to its beginning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from millstream.cli.cluster import STATE, AsJson, Bootstrap, Properties, cluster
from millstream.cli.positions import WAYS, parse_position
from millstream.cli.show import json_line, rows
from millstream.remote import Reset, ResetPlan


def reset(
    application: Annotated[str, typer.Argument(metavar="APP_ID", help="The application's id.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", "-t", metavar="TOPIC", help="An input; repeatable. Without: all it has offsets of."),
    ] = None,
    to: Annotated[str, typer.Option(metavar="POSITION", help=f"Where inputs are read from: {WAYS}.")] = "beginning",
    state_dir: Annotated[Path, typer.Option(metavar="DIR", help="The state_dir of its workers here.")] = STATE,
    execute: Annotated[bool, typer.Option("--execute", help="Do it; without this it is only shown.")] = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    json: AsJson = False,
) -> None:
    """Put an application that is stopped back to its beginning: inputs, internal topics, local state.

    Its results are left as they are. Local state is that of this machine; do it on each.
    """
    with cluster(bootstrap, properties) as caller:
        found = Reset(caller, application, state_dir)
        plan = found.planned(inputs or (), parse_position(to, "--to"))
        if execute:
            found.execute(plan)
    if json:
        json_line(_told(plan, done=execute))
        return
    rows(
        ("input", "partition", "from", "to"),
        ((*source, plan.before.get(source), offset) for source, offset in sorted(plan.offsets.items())),
        as_json=False,
        none="no input is moved",
    )
    did = "deleted" if execute else "would delete"
    for each in (*plan.topics, *([] if plan.folder is None else [f"the folder {plan.folder}"])):
        print(f"{did} {each}")
    if not execute:
        print("nothing was changed; give --execute to do it")


def _told(plan: ResetPlan, *, done: bool) -> dict[str, object]:
    return {
        "application": plan.application_id,
        "offsets": [
            {**source._asdict(), "from": plan.before.get(source), "to": offset}
            for source, offset in sorted(plan.offsets.items())
        ],
        "topics": plan.topics,
        "folder": None if plan.folder is None else str(plan.folder),
        "done": done,
    }
