"""What a consumer's metadata says that it is subscribed to; the only part of it that a broker ever reads."""

from __future__ import annotations

import struct

CONSUMER = "consumer"
_HEAD = struct.Struct(">hi")


def subscribed_topics(metadata: bytes) -> frozenset[str]:
    """Topics of a ConsumerProtocolSubscription of any version; empty if the bytes are something else.

    >>> sorted(subscribed_topics(bytes.fromhex("0001" "00000001" "0003") + b"abc"))
    ['abc']
    """
    topics = set()
    try:
        _, count = _HEAD.unpack_from(metadata)
        position = _HEAD.size
        for _ in range(count):
            (size,) = struct.unpack_from(">h", metadata, position)
            topics.add(metadata[position + 2 : position + 2 + size].decode())
            position += 2 + size
    except (struct.error, UnicodeDecodeError):
        return frozenset()
    return frozenset(topics)
