"""`millstream topics`: list, describe, create, change, empty and delete topics of any Kafka."""

from __future__ import annotations

from typing import Annotated

import typer

from millstream.cli.cluster import AsJson, Bootstrap, Properties, cluster, pairs
from millstream.cli.positions import parse_position
from millstream.cli.show import confirm, json_line, rows
from millstream.client.cluster import NewTopicSpec, Topics
from millstream.errors import ConfigError

topics = typer.Typer(
    name="topics", help="Topics of any Kafka: list, create, describe, alter, delete.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="TOPIC")]
Names = Annotated[list[str], typer.Argument(metavar="TOPIC...")]
Config = Annotated[
    list[str] | None, typer.Option("--config", "-c", metavar="NAME=VALUE", help="A topic's setting; repeatable.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


@topics.command("list")
def list_topics(bootstrap: Bootstrap = None, properties: Properties = None, json: AsJson = False) -> None:
    """Names and numbers of partitions."""
    with cluster(bootstrap, properties) as caller:
        found = Topics(caller).list()
    rows(("topic", "partitions"), found.items(), as_json=json, none="there are no topics")


@topics.command()
def describe(names: Names, bootstrap: Bootstrap = None, properties: Properties = None, json: AsJson = False) -> None:
    """Partitions with their offsets and brokers, and the settings that are the topic's own."""
    with cluster(bootstrap, properties) as caller:
        found = Topics(caller).describe(names)
    for topic in found:
        if json:
            json_line(topic)
            continue
        records = sum(each.end_offset - each.first_offset for each in topic.partitions)
        print(f"{topic.name}: {len(topic.partitions)} partitions, about {records:,} records")
        print("  ".join(f"{name}={value}" for name, value in topic.config.items()) or "the broker's default settings")
        rows(
            ("partition", "first offset", "end offset", "leader", "replicas"),
            (
                (p.partition, p.first_offset, p.end_offset, p.leader, ",".join(map(str, p.replicas)))
                for p in topic.partitions
            ),
            as_json=False,
            none="no partitions",
        )


@topics.command()
def create(
    name: Name,
    partitions: Annotated[int, typer.Option("--partitions", "-p", min=1)] = 1,
    replication: Annotated[int, typer.Option(help="Copies of each partition; -1: the broker's default.")] = -1,
    config: Config = None,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
) -> None:
    """Make a topic."""
    topic = NewTopicSpec(name, partitions, replication, pairs(config or (), "--config"))
    with cluster(bootstrap, properties) as caller:
        Topics(caller).create(topic)
    print(f"created {name} with {partitions} partition{'s' if partitions > 1 else ''}")


@topics.command()
def alter(
    name: Name,
    partitions: Annotated[
        int | None, typer.Option("--partitions", "-p", min=1, help="The new total; never fewer.")
    ] = None,
    config: Config = None,
    unset: Annotated[
        list[str] | None, typer.Option("--unset", metavar="NAME", help="Back to the broker's default; repeatable.")
    ] = None,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
) -> None:
    """Add partitions, or change settings."""
    put = pairs(config or (), "--config")
    if partitions is None and not put and not unset:
        raise ConfigError("nothing to change; give --partitions, --config or --unset")
    with cluster(bootstrap, properties) as caller:
        found = Topics(caller)
        if partitions is not None:
            found.add_partitions(name, partitions)
        if put or unset:
            found.configure(name, put, unset or ())
    print(f"changed {name}")


@topics.command()
def delete(names: Names, yes: Yes = False, bootstrap: Bootstrap = None, properties: Properties = None) -> None:
    """Delete topics with all their records."""
    with cluster(bootstrap, properties) as caller:
        found = Topics(caller).describe(names)
        for topic in found:
            records = sum(each.end_offset - each.first_offset for each in topic.partitions)
            confirm(f"Delete {topic.name} with about {records:,} records?", yes=yes)
        Topics(caller).delete(names)
    print(f"deleted {', '.join(names)}")


@topics.command("delete-records")
def delete_records(
    name: Name,
    before: Annotated[str, typer.Option(metavar="POSITION", help="end, an offset, a time, or a time ago as 10m.")],
    yes: Yes = False,
    bootstrap: Bootstrap = None,
    properties: Properties = None,
) -> None:
    """Delete the records of a topic that come before a position."""
    until = parse_position(before, "--before")
    confirm(f"Delete the records of {name} before {before}?", yes=yes)
    with cluster(bootstrap, properties) as caller:
        left = Topics(caller).delete_records(name, until)
    rows(("partition", "first offset"), sorted(left.items()), as_json=False, none="no partitions")
