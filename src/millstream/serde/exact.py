"""Values that the program alone reads again: JSON that keeps NaN and the infinities, which JSON writes as null."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from millstream.serde.change import ChangeSerde
from millstream.serde.contract import Serde
from millstream.serde.functions import FunctionSerde
from millstream.serde.json import JsonSerde
from millstream.serde.shape import has, read_custom, write_custom
from millstream.serde.sides import SideValuesSerde

T = TypeVar("T")


def exact(serde: Serde[Any]) -> Serde[Any]:
    """The same encoding, but a value that is read is the one that was written, for stores and internal topics.

    >>> serde = exact(JsonSerde(list[float]))
    >>> serde.encode([1.5, math.inf]), serde.decode(serde.encode([1.5, math.inf]))
    (b'[1.5, Infinity]', [1.5, inf])
    """
    match serde:
        case JsonSerde() if not serde.is_key and has(serde.type, inspect.FloatType, inspect.AnyType):
            return FunctionSerde(serde.name, serde.type, _encoder(serde.encode), _decoder(serde), serde.cacheable)
        case ChangeSerde():
            return ChangeSerde(exact(serde.inner))
        case SideValuesSerde():
            right, left = serde.sides
            return SideValuesSerde(exact(left), exact(right))
        case _:
            return serde


def _encoder(encode: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    def exactly(value: Any) -> bytes:
        data = encode(value)
        if data.find(b"null") < 0 or not _has_non_finite(value):
            return data
        return json.dumps(msgspec.to_builtins(value, str_keys=True, enc_hook=write_custom), ensure_ascii=False).encode()

    return exactly


def _decoder(serde: JsonSerde[Any]) -> Callable[[bytes], Any]:
    decode, of = serde.decode, serde.type

    def exactly(data: bytes) -> Any:
        try:
            return decode(data)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            if b"NaN" not in data and b"Infinity" not in data:
                raise
            return msgspec.convert(json.loads(data), of, strict=False, str_keys=True, dec_hook=read_custom)

    return exactly


def _has_non_finite(value: Any) -> bool:
    match value:
        case float():
            return not math.isfinite(value)
        case msgspec.Struct():
            return any(_has_non_finite(getattr(value, name)) for name in value.__struct_fields__)
        case dict():
            return any(map(_has_non_finite, value.values()))
        case list() | tuple() | set() | frozenset():
            return any(map(_has_non_finite, value))
        case _ if dataclasses.is_dataclass(value):
            return any(_has_non_finite(getattr(value, field.name)) for field in dataclasses.fields(value))
        case _ if hasattr(value, "__attrs_attrs__"):
            return any(_has_non_finite(getattr(value, field.name)) for field in value.__attrs_attrs__)
        case _:
            return False
