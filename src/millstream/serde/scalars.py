"""Strings, bytes, numbers and the like in the encodings of Kafka's own serialisers (big-endian numbers, UTF-8 text)."""

from __future__ import annotations

import re
import struct
import uuid
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

from millstream.serde.functions import FunctionSerde

N = TypeVar("N", int, float)

_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_SHOWN = 20  # bytes of what cannot be read that an error shows
_OTHER_FORM = "was it written as text, or with another serialiser?"


def _encode_text(value: str) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {type(value).__name__}")
    return value.encode()


def _decode_text(data: bytes) -> str:
    """As Kafka's StringDeserializer: what is no UTF-8 is read as U+FFFD, it is no error. Java takes a surrogate for one
    malformed character, Python for three.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _SURROGATE.sub(b"\xef\xbf\xbd", data).decode(errors="replace")


def _decode_texts(rows: Sequence[bytes]) -> list[str]:
    try:
        return list(map(bytes.decode, rows))
    except UnicodeDecodeError:
        return list(map(_decode_text, rows))


def _encode_bytes(value: bytes) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"expected bytes, got {type(value).__name__}")
    return bytes(value)


def _encode_bool(value: bool) -> bytes:
    if value is not True and value is not False:
        raise TypeError(f"expected True or False, got {value!r}")
    return b"\x01" if value else b"\x00"


def _decode_bool(data: bytes) -> bool:
    if data not in (b"\x00", b"\x01"):
        raise ValueError(f"a boolean is the byte 0 or 1, got {_shown(data)}; {_OTHER_FORM}")
    return data == b"\x01"


def _encode_uuid(value: uuid.UUID) -> bytes:
    if not isinstance(value, uuid.UUID):
        raise TypeError(f"expected a uuid.UUID, got {type(value).__name__}")
    return str(value).encode()


def _decode_uuid(data: bytes) -> uuid.UUID:
    try:
        return uuid.UUID(data.decode())
    except ValueError as error:
        raise ValueError(f"a UUID is text like 0123abcd-4567-89ef-0123-456789abcdef, got {_shown(data)}") from error


def _encode_void(value: object) -> NoReturn:
    raise TypeError(f"void has no values but None, got {value!r}")


def _decode_void(data: bytes) -> NoReturn:
    raise ValueError(f"void is always null, got {_shown(data)}; say what the records hold with key= or value=")


def _shown(data: bytes) -> str:
    more = " ..." if len(data) > _SHOWN else ""
    return f"{len(data)} byte{'' if len(data) == 1 else 's'}: {data[:_SHOWN]!r}{more}"


def _number(name: str, python_type: type[N], layout: str, *, cacheable: bool = True) -> FunctionSerde[N]:
    packer = struct.Struct(layout)
    pack, unpack, size = packer.pack, packer.unpack, packer.size

    def decode(data: bytes) -> N:
        try:
            return unpack(data)[0]  # type: ignore[no-any-return]
        except struct.error as error:
            raise ValueError(f"{name} is {size} bytes, got {_shown(data)}; {_OTHER_FORM}") from error

    def encode(value: Any) -> bytes:
        try:
            return pack(value)
        except (struct.error, OverflowError) as error:
            raise TypeError(f"{value!r} does not fit {name}: {error}{_larger(value, python_type)}") from error

    return FunctionSerde(name, python_type, encode, decode, cacheable, size)


def _larger(value: Any, python_type: type) -> str:
    if python_type is int and isinstance(value, int):
        return "; ms.JsonSerde(int) takes integers of any size"
    return ""


STRING = FunctionSerde("string", str, _encode_text, _decode_text, decode_all=_decode_texts)
BYTES = FunctionSerde("bytes", bytes, _encode_bytes, bytes)
BOOLEAN = FunctionSerde("boolean", bool, _encode_bool, _decode_bool)
INT16 = _number("int16", int, ">h")
INT32 = _number("int32", int, ">i")
INT64 = _number("int64", int, ">q")
FLOAT32 = _number("float32", float, ">f", cacheable=False)
FLOAT64 = _number("float64", float, ">d", cacheable=False)  # 0.0 and -0.0 are equal, their bytes are not
UUID = FunctionSerde("uuid", uuid.UUID, _encode_uuid, _decode_uuid, size=36)
VOID = FunctionSerde("void", type(None), _encode_void, _decode_void)
