"""Requests and answers of a foreign-key join on the wire (rules F11, F12)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Any

_PARTITION = Struct(">i")
_HASH_SIZE = 16
_REQUEST, _ANSWER = 1, 0
_NO_HASH = 0x80


class Instruction(IntEnum):
    """What a request asks for (section 6 of the rules: foreign key)."""

    DELETE_QUIETLY = 0
    DELETE_AND_ANSWER = 1
    ANSWER_ALWAYS = 2
    ANSWER_IF_THERE = 3


@dataclass(frozen=True, slots=True)
class Request:
    """A left row asks for a right row: with the hash of its value (None: it was deleted), its key, its partition."""

    instruction: Instruction
    hash: bytes | None
    left_key: bytes
    partition: int


@dataclass(frozen=True, slots=True)
class Reply:
    """The right row's value as bytes (None: there is none), for the left value with that hash."""

    hash: bytes | None
    value: bytes | None


class RequestSerde:
    """Requests."""

    name = "foreign-key-request"
    type: Any = Request
    cacheable = False

    def encode(self, value: Request, /) -> bytes:
        head = bytes((_REQUEST | (_NO_HASH if value.hash is None else 0), value.instruction))
        return head + (value.hash or b"") + value.left_key + _PARTITION.pack(value.partition)

    def decode(self, data: bytes, /) -> Request:
        at = 2 if data[0] & _NO_HASH else 2 + _HASH_SIZE
        hashed = None if at == 2 else data[2:at]
        return Request(Instruction(data[1]), hashed, data[at:-4], _PARTITION.unpack(data[-4:])[0])


class ReplySerde:
    """Answers. An empty rest is no value: Kafka Streams cannot tell it from an empty one either."""

    name = "foreign-key-reply"
    type: Any = Reply
    cacheable = False

    def encode(self, value: Reply, /) -> bytes:
        head = bytes((_ANSWER | (_NO_HASH if value.hash is None else 0),))
        return head + (value.hash or b"") + (value.value or b"")

    def decode(self, data: bytes, /) -> Reply:
        at = 1 if data[0] & _NO_HASH else 1 + _HASH_SIZE
        return Reply(None if at == 1 else data[1:at], data[at:] or None)
