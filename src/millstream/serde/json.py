"""JSON by msgspec: any value, or one that is checked against a declared type while it is decoded."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import types
import typing
import uuid
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

import msgspec

from millstream.serde.canonical import encode_canonical, is_ambiguous
from millstream.serde.shape import is_message, read_custom, refuse_unreadable, write_custom

T = TypeVar("T")


class JsonSerde(Generic[T]):
    """JSON as UTF-8. With a declared type, decoding validates and makes that type.

    Types are those of msgspec: structs, dataclasses, attrs classes, TypedDict, NamedTuple, enums, collections, unions;
    integers of any size; Decimal, datetime, date, time, timedelta, UUID and bytes as text. NaN and the infinities are
    written as null, for JSON has none.

    As a key's serde it writes one canonical form, so that keys that are equal are equal as bytes: members sorted,
    whole floats as integers, decimals without spare zeros, moments in UTC. NaN is refused.

    >>> JsonSerde(dict[str, int], key=True).encode({"b": 1, "a": 2})
    b'{"a":2,"b":1}'
    """

    @overload
    def __init__(self, of: type[T], *, key: bool = False) -> None: ...
    @overload
    def __init__(self: JsonSerde[Any], of: Any = Any, *, key: bool = False) -> None: ...
    def __init__(self, of: Any = Any, *, key: bool = False) -> None:
        # in the class's body, and with __slots__, pyright would take them for methods
        self.encode: Callable[[T], bytes]
        self.decode: Callable[[bytes], T]
        refuse_unreadable(of)
        self.type = of
        self.is_key = key
        self.name = f"json({of.__name__ if isinstance(of, type) else of})"
        # 1, 1.0 and True are equal in Python and different in JSON: only the bytes of what equals nothing but its own
        # kind can be remembered
        self.cacheable = isinstance(of, type) and _equals_its_own_kind(of) and is_hashable(of)
        if key and is_ambiguous(of):
            self.encode = encode_canonical
        else:
            self.encode = msgspec.json.Encoder(order="sorted" if key else None, enc_hook=write_custom).encode
        self.decode = msgspec.json.Decoder(of, dec_hook=read_custom).decode

    def __repr__(self) -> str:
        return f"JsonSerde({self.name})"


def is_hashable(of: Any, seen: frozenset[Any] = frozenset()) -> bool:
    """Whether the values of a type can be the keys of a store.

    >>> is_hashable(tuple[str, int]), is_hashable(tuple[str, list[int]])
    (True, False)
    """
    if isinstance(of, type) and issubclass(of, msgspec.Struct):
        if not of.__struct_config__.frozen and "__hash__" not in of.__dict__:
            return False
        return of in seen or all(is_hashable(field.type, seen | {of}) for field in msgspec.structs.fields(of))
    if is_message(of):
        return False  # its class has a __hash__, which raises
    if hasattr(of, "__supertype__"):  # a NewType
        return is_hashable(of.__supertype__, seen)
    origin = typing.get_origin(of)
    if origin is typing.Annotated:
        return is_hashable(typing.get_args(of)[0], seen)
    if origin in (tuple, typing.Union, types.UnionType):
        return all(is_hashable(each, seen) for each in typing.get_args(of))
    return getattr(origin or of, "__hash__", None) is not None


def _equals_its_own_kind(of: type) -> bool:
    if issubclass(of, enum.Enum):
        return not issubclass(of, int | float | str)
    return issubclass(of, msgspec.Struct | datetime.date | uuid.UUID) or dataclasses.is_dataclass(of)
