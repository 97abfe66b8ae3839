"""From what the user writes (a type, a serde or nothing) to a serde."""

from __future__ import annotations

import functools
import operator
import types
import typing
from collections.abc import Hashable
from typing import Any

from millstream.serde.contract import Serde
from millstream.serde.framed import SchemaSerde
from millstream.serde.functions import FunctionSerde, completed
from millstream.serde.json import JsonSerde
from millstream.serde.models import PydanticSerde, is_made_of_models
from millstream.serde.protobuf import ProtobufSerde
from millstream.serde.scalars import BOOLEAN, BYTES, FLOAT64, INT64, STRING, UUID, VOID
from millstream.serde.shape import is_message

NONE = type(None)
SCALARS: dict[Any, FunctionSerde[Any]] = {
    each.type: each for each in (STRING, BYTES, INT64, FLOAT64, BOOLEAN, UUID, VOID)
}


def is_serde(given: Any) -> bool:
    return not isinstance(given, type) and callable(getattr(given, "encode", None)) and hasattr(given, "decode")


def serde_for(given: Any, *, key: bool = False) -> Serde[Any]:
    """The serde for a type: str, bytes, int, float, bool and UUID as Kafka's own serialisers write them, else as JSON.

    Classes that protoc made are written as protobuf.

    >>> serde_for(int).encode(1).hex()
    '0000000000000001'
    >>> serde_for(list[int]).encode([1, 2])
    b'[1,2]'
    """
    if is_serde(given):
        return completed(given)
    if isinstance(given, type) and _is_class_of_serdes(given):
        raise TypeError(f"{given.__name__} is a class of serdes, give one of them, such as {given.__name__}(...)")
    of = unnamed(without_none(unnamed(given)))
    scalar = SCALARS.get(of) if isinstance(of, Hashable) else None
    if scalar is not None:
        return scalar
    if is_message(of):
        return ProtobufSerde(of)
    return PydanticSerde(of, key=key) if is_made_of_models(of) else JsonSerde(of, key=key)


def _is_class_of_serdes(given: type) -> bool:
    """Some have their two functions only once they are made."""
    if issubclass(given, JsonSerde | PydanticSerde | SchemaSerde):
        return True
    return callable(getattr(given, "encode", None)) and callable(getattr(given, "decode", None))


def unnamed(of: Any) -> Any:
    """What a `NewType`, or an alias made by a `type` statement, stands for.

    >>> unnamed(typing.NewType("UserId", str))
    <class 'str'>
    """
    while hasattr(of, "__supertype__") or hasattr(of, "__value__"):
        of = of.__supertype__ if hasattr(of, "__supertype__") else of.__value__
    return of


def without_none(of: Any) -> Any:
    """A type without None, which never reaches a serde.

    >>> without_none(str | None)
    <class 'str'>
    """
    if typing.get_origin(of) not in (typing.Union, types.UnionType):
        return of
    return functools.reduce(operator.or_, (each for each in typing.get_args(of) if each is not NONE))
