"""A place in the plan, as streams, groups and tables hold it: the node, the serdes, whether the key was changed."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from millstream.dsl.builder import Builder
from millstream.errors import TopologyError
from millstream.plan.function import UNKNOWN, declared_result
from millstream.plan.internal import is_name
from millstream.plan.nodes import Node, RepartitionTopic
from millstream.plan.site import CallSite, call_site
from millstream.serde import STRING, JsonSerde, Serde, serde_for

ANY_JSON: Serde[Any] = JsonSerde(Any)


@dataclass(frozen=True, slots=True)
class Handle:
    """`key_changed` says that records may no longer lie in the partition where their key belongs (rule O3).

    `store` is the store of a table's rows, if it has one.
    """

    builder: Builder
    node: str
    key: Serde[Any]
    value: Serde[Any]
    key_changed: bool = False
    store: str | None = None

    def after(self, node: Node, **changes: Any) -> Handle:
        """Add a node; the place behind it."""
        made = replace(self, node=self.builder.add(node), **changes)
        self.builder.serdes[node.name] = (made.key, made.value)
        return made

    def at(self, node: str) -> Handle:
        """Another place with the same serdes."""
        return replace(self, node=node, store=None, key_changed=False)

    def repartitioned(
        self,
        given: str | None,
        site: CallSite,
        *,
        generated: str = "",
        again: bool = False,
    ) -> Handle:
        """The place behind an internal topic that an operator needs, with the name that the user gave, or else a
        generated one. `again`: the name was given for all operators of one group, so the topic may be there already.
        """
        topic = RepartitionTopic(f"{given or generated}-repartition", mergeable=True)
        if (given is None or again) and (shared := self.builder.shared_repartition(self.node, topic)) is not None:
            return replace(self, node=shared, key_changed=False)
        return self.through(topic, site)

    def repartitioned_for_join(self, given: str | None, site: CallSite) -> Handle:
        """The same for a join. One that gives no name goes with the stream's last one, whatever that was named."""
        if given is None and (shared := self.builder.joined_through(self.node)) is not None:
            return replace(self, node=shared, key_changed=False)
        made = self.through(RepartitionTopic(f"{given or self.node}-repartition", mergeable=True), site)
        self.builder.sources_for_joins[self.node] = made.node
        return made

    def through(self, topic: RepartitionTopic, site: CallSite) -> Handle:
        """The place behind an internal topic."""
        source = self.builder.repartition(self.node, topic, (self.key, self.value), site)
        return replace(self, node=source, key_changed=False)


def value_serde(given: Any, fn: Any) -> Serde[Any]:
    """The serde of new values: as given, else by what the function says it returns, else any JSON."""
    declared = given if given is not None else declared_result(fn) if fn is not None else UNKNOWN
    return ANY_JSON if declared in (UNKNOWN, Any) else given_serde(declared)


def key_serde(given: Any, fn: Any) -> Serde[Any]:
    """The serde of new keys: as given, else by what the function says it returns, else strings."""
    declared = given if given is not None else declared_result(fn) if fn is not None else UNKNOWN
    return STRING if declared in (UNKNOWN, Any) else given_serde(declared, key=True)


def given_serde(given: Any, *, key: bool = False) -> Serde[Any]:
    """The serde of a type or a serde that the user gave."""
    try:
        return serde_for(given, key=key)
    except TypeError as error:
        of = "keys" if key else "values"
        raise TopologyError(
            f"{call_site()}: {given!r} is no type of {of} that can be read and written: {error}; give another type, or "
            "a serde"
        ) from error
    except ImportError as error:  # a type of an optional library, which is not installed whole
        raise TopologyError(f"{call_site('key=' if key else 'value=')}: {error}") from error


def check_lookup(fn: Any, key: Serde[Any], site: CallSite) -> None:
    """A function that says which row it looks up has to name it by the rows' own kind of key."""
    declared = declared_result(fn)
    if typing.get_origin(declared) in (typing.Union, types.UnionType):
        (declared, *others) = [each for each in typing.get_args(declared) if each is not type(None)] or [UNKNOWN]
        declared = UNKNOWN if others else declared
    if not isinstance(declared, type) or not isinstance(key.type, type):
        return
    if not issubclass(declared, key.type) and not issubclass(key.type, declared):
        raise TopologyError(
            f"{site}: {fn.__name__} gives {declared.__name__}, but the keys of the table looked up are "
            f"{key.type.__name__} ({key.name}); let it give a key of theirs, or declare the table's key type"
        )


def check_topics(topics: Sequence[str], site: CallSite) -> None:
    """Names that Kafka takes."""
    for topic in topics:
        if not is_name(topic):
            raise TopologyError(
                f"{site}: {topic!r} cannot name a topic; Kafka takes up to 249 ASCII letters, digits, '.', '_' and '-'"
            )


def same_serde(first: Serde[Any], second: Serde[Any]) -> bool:
    """Whether two serdes write the same type alike: types of one name may be different ones."""
    return first.name == second.name and bool(first.type == second.type)
