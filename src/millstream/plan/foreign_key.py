"""The nodes of a foreign-key join: registration, subscriptions, answers, resolver (rules J27-J38, N16)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from millstream.plan.function import UserFunction
from millstream.plan.nodes import Node, Sink
from millstream.serde import Serde


@dataclass(frozen=True, slots=True, kw_only=True)
class Register(Node):
    """Updates of the left table as requests, under their foreign key: into one topic, to be answered in the other."""

    requests: str
    answers: str
    foreign_key: UserFunction
    left: bool
    key: Serde[Any]  # of the left table
    value: Serde[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe(Node):
    """Requests into the subscription store."""

    requests: str
    subscriptions: str
    foreign_key: Serde[Any]

    @property
    def store_names(self) -> tuple[str, ...]:
        return (self.subscriptions,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Node):
    """Requests answered with the right table's row, into the topic `answers`."""

    answers: str
    table: str
    looked_up: tuple[str, ...]
    value: Serde[Any]  # of the right table

    @property
    def store_names(self) -> tuple[str, ...]:
        return self.looked_up

    @property
    def meets(self) -> tuple[str, ...]:
        return (self.table,)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerAll(Node):
    """An update of the right table, told to all who subscribed to its key."""

    requests: str
    answers: str
    subscriptions: str
    foreign_key: Serde[Any]
    value: Serde[Any]

    @property
    def store_names(self) -> tuple[str, ...]:
        return (self.subscriptions,)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSink(Sink):
    """Answers on their way to the partition that the request named: values are (partition, answer)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve(Node):
    """Answers joined with the left table's row, if that is still the one that asked."""

    requests: str
    answers: str
    table: str
    looked_up: tuple[str, ...]
    joiner: UserFunction
    left: bool
    value: Serde[Any]  # of the left table
    other: Serde[Any]  # of the right table

    @property
    def store_names(self) -> tuple[str, ...]:
        return self.looked_up

    @property
    def meets(self) -> tuple[str, ...]:
        return (self.table,)
