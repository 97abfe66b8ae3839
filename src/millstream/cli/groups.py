"""`millstream groups`: consumer groups of any Kafka, their lag, and moving them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from millstream.cli.cluster import AsJson, Bootstrap, Properties, cluster
from millstream.cli.positions import WAYS, parse_position
from millstream.cli.show import confirm, json_line, rows
from millstream.client.cluster import Groups, Position
from millstream.errors import ConfigError, KafkaError

groups = typer.Typer(
    name="groups", help="Consumer groups of any Kafka: list, describe, reset, delete.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="GROUP")]


@groups.command("list")
def list_groups(bootstrap: Bootstrap = None, properties: Properties = None, json: AsJson = False) -> None:
    """Groups and what they are doing."""
    with cluster(bootstrap, properties) as caller:
        found = Groups(caller).list()
    rows(
        ("group", "state", "type"),
        ((each.group, each.state, each.type) for each in found),
        as_json=json,
        none="there are no groups",
    )


@groups.command()
def describe(group: Name, bootstrap: Bootstrap = None, properties: Properties = None, json: AsJson = False) -> None:
    """Members, and for each partition the committed offset, the end and the lag."""
    with cluster(bootstrap, properties) as caller:
        found = Groups(caller).describe(group)
    columns = ("topic", "partition", "committed", "end", "lag", "member")
    listed = [(*each.source, each.committed, each.end, each.lag, each.member) for each in found.partitions]
    if json:
        json_line(
            {
                "group": group,
                "state": found.summary.state,
                "type": found.summary.type,
                "assignor": found.assignor,
                "members": found.members,
                "partitions": [dict(zip(columns, each, strict=True)) for each in listed],
            }
        )
        return
    lag = sum(each.lag or 0 for each in found.partitions)
    print(f"{group}: {found.summary.state}, {len(found.members)} members, {lag:,} records behind")
    rows(columns, listed, as_json=False, none="it has committed nothing and reads nothing")


@groups.command()
def reset(
    group: Name,
    topic: Annotated[list[str], typer.Option("--topic", "-t", metavar="TOPIC", help="Of which topic; repeatable.")],
    to: Annotated[str | None, typer.Option(metavar="POSITION", help=f"To {WAYS}.")] = None,
    shift: Annotated[int | None, typer.Option(metavar="N", help="So many records on; negative: back.")] = None,
    execute: Annotated[bool, typer.Option("--execute", help="Do it; without this it is only shown.")] = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
    json: AsJson = False,
) -> None:
    """Move the offsets of a group that has no members, or give one that is to come its first offsets.

    Shows what it would do; does it with --execute.
    """
    if (to is None) == (shift is None):
        raise ConfigError("give either --to POSITION or --shift N")
    target = Position("shift", shift) if shift is not None else parse_position(str(to), "--to")
    with cluster(bootstrap, properties) as caller:
        found = Groups(caller)
        before = found.committed(group)
        if not before:
            _say_that_nothing_is_committed(group, target, exists=found.exists(group))
        after = found.planned(group, topic, target)
        if execute and after:
            found.reset(group, after)
    rows(
        ("topic", "partition", "from", "to"),
        ((*source, before.get(source), offset) for source, offset in sorted(after.items())),
        as_json=json,
        none="there is nothing to move: the group has committed nothing there",
    )
    if not execute and not json:
        print("nothing was changed; give --execute to do it")


def _say_that_nothing_is_committed(group: str, target: Position, *, exists: bool) -> None:
    """A name may be misspelt; as kafka-consumer-groups.sh does, offsets may be set before a group's first start."""
    what = f"there is no group {group!r}"
    if exists:
        what = f"group {group!r} has committed nothing"
    if target.kind == "shift":
        raise KafkaError(
            f"{what}, so that there is nothing to shift from; give --to POSITION for first offsets", code=69
        )
    print(f"{what}: these are offsets for it to begin from", file=sys.stderr)


@groups.command()
def delete(
    names: Annotated[list[str], typer.Argument(metavar="GROUP...")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
) -> None:
    """Delete groups that have no members, with their committed offsets."""
    confirm(f"Delete {', '.join(names)} with the committed offsets?", yes=yes)
    with cluster(bootstrap, properties) as caller:
        Groups(caller).delete(names)
    print(f"deleted {', '.join(names)}")
