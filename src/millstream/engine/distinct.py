"""About how many different values there are: exactly while there are few, then by HyperLogLog.

A sketch is the values' 64-bit hashes in order, up to FEW of them, and after that 2**precision registers of a byte
each, which keep the largest number of leading zeros that a hash for them had. The estimate is Ertl's, which needs no
table of corrections (O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017).
"""

from __future__ import annotations

from bisect import bisect_left
from math import inf, log, sqrt
from typing import Any, TypeAlias

import mmh3
import msgspec

FEW = 128
HASH_BITS = 64

Sketch: TypeAlias = tuple[int, ...] | bytes


def noted(sketch: Sketch, value: Any, precision: int) -> Sketch:
    """The sketch with one value more.

    >>> estimated(noted(noted((), "a", 12), "b", 12), 12)
    2
    """
    hashed, _ = mmh3.hash64(msgspec.json.encode(value), signed=False)
    if isinstance(sketch, bytes):
        return _registered(sketch, hashed, precision)
    place = bisect_left(sketch, hashed)
    if place < len(sketch) and sketch[place] == hashed:
        return sketch
    return _bounded((*sketch[:place], hashed, *sketch[place:]), precision)


def united(sketch: Sketch, other: Sketch, precision: int) -> Sketch:
    """What the sketch of the values of both is."""
    match sketch, other:
        case bytes(), bytes():
            return bytes(map(max, sketch, other))
        case tuple(), tuple():
            return _bounded(tuple(sorted({*sketch, *other})), precision)
        case bytes(), tuple():
            return _dense(other, precision, sketch)
        case _:
            return united(other, sketch, precision)


def estimated(sketch: Sketch, precision: int) -> int:
    """How many different values the sketch has seen."""
    if not isinstance(sketch, bytes):
        return len(sketch)
    size, longest = len(sketch), HASH_BITS - precision
    counts = _counts(sketch, longest + 2)
    total = size * _tau(1 - counts[longest + 1] / size)
    for rank in range(longest, 0, -1):
        total = 0.5 * (total + counts[rank])
    total += size * _sigma(counts[0] / size)
    return round(size * size / (2 * log(2) * total))


def _counts(sketch: bytes, ranks: int) -> list[int]:
    """How many registers have each rank; high ones, of which there are none, are not looked for."""
    counts, left = [0] * ranks, len(sketch)
    for rank in range(ranks):
        counts[rank] = sketch.count(rank)
        left -= counts[rank]
        if not left:
            break
    return counts


def _bounded(hashes: tuple[int, ...], precision: int) -> Sketch:
    return hashes if len(hashes) <= FEW else _dense(hashes, precision, bytes(1 << precision))


def _dense(hashes: tuple[int, ...], precision: int, registers: bytes) -> bytes:
    for hashed in hashes:
        registers = _registered(registers, hashed, precision)
    return registers


def _registered(registers: bytes, hashed: int, precision: int) -> bytes:
    rest = HASH_BITS - precision
    at = hashed >> rest
    rank = rest - (hashed & ((1 << rest) - 1)).bit_length() + 1
    if registers[at] >= rank:
        return registers
    return registers[:at] + bytes((rank,)) + registers[at + 1 :]


def _sigma(x: float) -> float:
    if x == 1.0:
        return inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x *= x
        before = z
        z += x * y
        y += y
    return z


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z, before = 1.0, 1 - x, -1.0
    while z != before:
        x = sqrt(x)
        before = z
        y *= 0.5
        z -= (1 - x) ** 2 * y
    return z / 3
