"""Values that the program alone reads again: JSON that keeps NaN and the infinities, which JSON writes as null."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from millstream.serde.change import ChangeSerde
from millstream.serde.contract import Serde
from millstream.serde.finite import Check, non_finite_check
from millstream.serde.functions import FunctionSerde
from millstream.serde.json import JsonSerde
from millstream.serde.shape import read_custom, write_custom
from millstream.serde.sides import SideValuesSerde

T = TypeVar("T")


def exact(serde: Serde[Any]) -> Serde[Any]:
    """The same encoding, but a value that is read is the one that was written, for stores and internal topics.

    >>> import math
    >>> serde = exact(JsonSerde(list[float]))
    >>> serde.encode([1.5, math.inf]), serde.decode(serde.encode([1.5, math.inf]))
    (b'[1.5, Infinity]', [1.5, inf])
    """
    match serde:
        case JsonSerde() if not serde.is_key and (check := non_finite_check(serde.type)) is not None:
            return FunctionSerde(
                serde.name, serde.type, _encoder(serde.encode, check), _decoder(serde), serde.cacheable
            )
        case ChangeSerde():
            return ChangeSerde(exact(serde.inner))
        case SideValuesSerde():
            right, left = serde.sides
            return SideValuesSerde(exact(left), exact(right))
        case _:
            return serde


def _encoder(encode: Callable[[Any], bytes], has_non_finite: Check) -> Callable[[Any], bytes]:
    def exactly(value: Any) -> bytes:
        data = encode(value)
        if data.find(b"null") < 0 or not has_non_finite(value):
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
            return msgspec.convert(json.loads(data), of, str_keys=True, dec_hook=read_custom)

    return exactly
