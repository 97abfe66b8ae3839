"""JSON by msgspec: any value, or one that is checked against a declared type while it is decoded."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

import msgspec

T = TypeVar("T")


class JsonSerde(Generic[T]):
    """JSON as UTF-8. With a declared type, decoding validates and makes that type.

    As a key's serde objects are written with sorted member names, so that keys that are equal are equal as bytes.

    >>> JsonSerde(dict[str, int], key=True).encode({"b": 1, "a": 2})
    b'{"a":2,"b":1}'
    """

    __slots__ = ("cacheable", "decode", "encode", "name", "type")

    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]

    @overload
    def __init__(self, of: type[T], *, key: bool = False) -> None: ...
    @overload
    def __init__(self: JsonSerde[Any], of: Any = Any, *, key: bool = False) -> None: ...
    def __init__(self, of: Any = Any, *, key: bool = False) -> None:
        self.type = of
        self.name = f"json({of.__name__ if isinstance(of, type) else of})"
        # 1, 1.0 and True are equal in Python and different in JSON: only a declared struct's bytes can be remembered
        self.cacheable = isinstance(of, type) and issubclass(of, msgspec.Struct) and is_hashable(of)
        self.encode = msgspec.json.Encoder(order="sorted" if key else None).encode
        self.decode = msgspec.json.Decoder(of).decode

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
    origin = typing.get_origin(of)
    if origin in (tuple, typing.Union, types.UnionType):
        return all(is_hashable(each, seen) for each in typing.get_args(of))
    return getattr(origin or of, "__hash__", None) is not None
