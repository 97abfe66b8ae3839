"""Kafka's default partitioner: murmur2 of the key's bytes (rules F14, F16)."""

from __future__ import annotations

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Kafka's murmur2 as an unsigned 32-bit number.

    >>> murmur2(b"hello")
    2132663229
    >>> murmur2(b"a") - 2**32
    -1563381124
    """
    length = len(data)
    h = 0x9747B28C ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        h = (h * _M & _MASK) ^ ((k ^ (k >> 24)) * _M & _MASK)
    if length > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


def partition_for(key: bytes, partitions: int) -> int:
    """The partition that Kafka's clients give this key.

    >>> [partition_for(key, 10) for key in (b"a", b"b", b"hello", b"foobar")]
    [4, 6, 9, 6]
    """
    return (murmur2(key) & 0x7FFFFFFF) % partitions
