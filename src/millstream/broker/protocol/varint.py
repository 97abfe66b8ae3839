"""Kafka's unsigned variable-length integers, as flexible versions write lengths."""

from __future__ import annotations


def unsigned_varint(value: int) -> bytes:
    """Seven bits a byte, lowest first.

    >>> unsigned_varint(300).hex()
    'ac02'
    """
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def compact_string(value: str | None) -> bytes:
    """A nullable string with its length plus one in front; zero is null."""
    if value is None:
        return b"\0"
    raw = value.encode()
    return unsigned_varint(len(raw) + 1) + raw


def legacy_string(value: str | None) -> bytes:
    """A nullable string with a 16-bit length in front; -1 is null."""
    if value is None:
        return b"\xff\xff"
    raw = value.encode()
    return len(raw).to_bytes(2, "big") + raw


def array_length(size: int, *, flexible: bool) -> bytes:
    """What stands in front of an array that is not null."""
    return unsigned_varint(size + 1) if flexible else size.to_bytes(4, "big")
