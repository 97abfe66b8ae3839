"""Frames: a request's bytes to header and message, an answer to bytes.

A frame is what follows the four length bytes. Answers are version-neutral dataclasses (`answers/`) that hold every
field of every served version; kio's writer for the request's version picks the ones that it has.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kio.index import load_request_schema, load_response_schema
from kio.serial import entity_reader, entity_writer

from millstream.broker.protocol.apis import API_VERSIONS, APIS
from millstream.broker.protocol.bounds import walker
from millstream.broker.protocol.lift import lift

_PREFIX = struct.Struct(">hhi")
_LENGTH_AND_CORRELATION = struct.Struct(">ii")


class UnreadableRequestError(Exception):
    """The frame is not a request that this broker can decode; the connection has no future."""


@dataclass(frozen=True, slots=True)
class Request:
    """One decoded request. `message` is None for an ApiVersions request of an unknown version."""

    api_key: int
    version: int
    correlation_id: int
    client_id: str
    message: Any


class Chunks:
    """Collects what kio writes without copying large values."""

    __slots__ = ("parts", "write")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.write = self.parts.append


def read_request(frame: bytes | memoryview) -> Request:
    """Decode one frame; older versions are lifted to the newest one served (`lift`).

    Raises UnreadableRequestError for unknown APIs and versions, and for bytes that do not fit the schema.
    """
    if len(frame) < _PREFIX.size:
        raise UnreadableRequestError(f"{len(frame)} bytes are too few for a request header")
    api_key, version, correlation_id = _PREFIX.unpack_from(frame)
    api = APIS.get(api_key)
    if api is None:
        raise UnreadableRequestError(f"API key {api_key} is not served")
    if not api.min_version <= version <= api.max_version:
        if api_key == API_VERSIONS:
            return Request(api_key, version, correlation_id, "", None)
        raise UnreadableRequestError(f"version {version} of API key {api_key} is not served")
    read_header, walk_body, read_body = _readers(api_key, version)
    try:
        header, size = read_header(frame, 0)
        walk_body(frame, size)
        message, _ = read_body(frame, size)
        lifted = lift(api_key, version, message)
    except Exception as error:
        raise UnreadableRequestError(f"API key {api_key} version {version} cannot be decoded: {error}") from error
    return Request(api_key, version, correlation_id, header.client_id or "", lifted)


def write_answer(request: Request, answer: Any) -> list[bytes]:
    """The frame of `answer` as the version of `request` writes it, length included, in parts."""
    version, flexible, write = _writer(request.api_key, request.version)
    chunks = Chunks()
    if flexible and request.api_key != API_VERSIONS:
        chunks.write(b"\0")
    encode = getattr(answer, "encode", None)
    if encode is not None:
        encode(version, chunks.write)
    else:
        write(chunks, answer)
    size = 4 + sum(map(len, chunks.parts))
    return [_LENGTH_AND_CORRELATION.pack(size, request.correlation_id), *chunks.parts]


@functools.cache
def _readers(api_key: int, version: int) -> tuple[Callable[..., Any], Callable[..., int], Callable[..., Any]]:
    schema: Any = load_request_schema(api_key, version)
    return entity_reader(schema.__header_schema__), walker(schema), entity_reader(schema)


@functools.cache
def _writer(api_key: int, version: int) -> tuple[int, bool, Callable[..., Any]]:
    api = APIS[api_key]
    known = version if api.min_version <= version <= api.max_version else 0
    schema: Any = load_response_schema(api_key, known)
    return known, schema.__flexible__, entity_writer(schema)
