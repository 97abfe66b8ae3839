"""Where the tools find their cluster: this folder's embedded broker, or the brokers named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from millstream.broker.launch import EmbeddedBroker
from millstream.client.cluster import Caller
from millstream.client.librdkafka.config import Connection
from millstream.errors import ConfigError

STATE = Path(".millstream")

Bootstrap: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--bootstrap",
        "-b",
        metavar="HOST:PORT",
        envvar="MILLSTREAM_BOOTSTRAP_SERVERS",
        help="Brokers of any Kafka; without it this folder's embedded broker.",
    ),
]
Properties: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("-X", metavar="NAME=VALUE", help="A librdkafka property, such as security.protocol; repeatable."),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="A JSON object on each line, for programs.")]


@contextmanager
def cluster(bootstrap: str | None, properties: Sequence[str] | None) -> Iterator[Caller]:
    """The cluster's admin client. Raises BrokerUnavailableError where nobody answers."""
    with ExitStack() as stack:
        if bootstrap is None:
            bootstrap = stack.enter_context(EmbeddedBroker.shared(STATE)).bootstrap
        connection = Connection(bootstrap, pairs(properties or (), "-X"), {}, {}, 10_000)
        yield Caller(connection)


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """NAME=VALUE, each; the value may hold more equals signs.

    >>> pairs(["cleanup.policy=compact", "sasl.password=a=b"], "--config")
    {'cleanup.policy': 'compact', 'sasl.password': 'a=b'}
    """
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise ConfigError(f"{option} takes NAME=VALUE, got {each.partition('=')[0]!r}")
        found[name.strip()] = value.strip()
    return found
