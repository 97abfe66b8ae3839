"""Kafka's default partitioner, so that the feed can say where a place's reports go."""

from __future__ import annotations

from functools import cache

_MASK = 0xFFFFFFFF
_SEED = 0x9747B28C
_M = 0x5BD1E995


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2 of the bytes, without sign.

    >>> murmur2(b"21"), murmur2(b"foobar")
    (3321034988, 3504634814)
    """
    length = len(data)
    h = (_SEED ^ length) & _MASK
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if length > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


@cache
def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Kafka's default partitioner gives to a key.

    >>> partition_of(b"foobar", 4)
    2
    """
    return (murmur2(key) & 0x7FFFFFFF) % partitions
