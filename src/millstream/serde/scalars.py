"""Strings, bytes and numbers in the encodings of Kafka's own serialisers (big-endian numbers, UTF-8 text)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ScalarSerde:
    """A serde that is two functions and the type it is for."""

    name: str
    type: Any
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    cacheable: bool = True


def _encode_text(value: str) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {type(value).__name__}")
    return value.encode()


def _encode_bytes(value: bytes) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"expected bytes, got {type(value).__name__}")
    return bytes(value)


def _number(name: str, python_type: type, layout: str, *, cacheable: bool = True) -> ScalarSerde:
    packer = struct.Struct(layout)
    pack, unpack = packer.pack, packer.unpack

    def decode(data: bytes) -> Any:
        return unpack(data)[0]

    def encode(value: Any) -> bytes:
        try:
            return pack(value)
        except struct.error as error:
            raise TypeError(f"{value!r} does not fit {name}: {error}") from error

    return ScalarSerde(name, python_type, encode, decode, cacheable)


STRING = ScalarSerde("string", str, _encode_text, bytes.decode)
BYTES = ScalarSerde("bytes", bytes, _encode_bytes, bytes)
INT32 = _number("int32", int, ">i")
INT64 = _number("int64", int, ">q")
FLOAT64 = _number("float64", float, ">d", cacheable=False)  # 0.0 and -0.0 are equal, their bytes are not
