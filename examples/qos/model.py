"""What goes in: a player's report, a CDN's benchmark, and the key of a location and CDN."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

import millstream as ms

Name = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(gt=0)]


class Report(ms.Record):
    """One report of one player, made when a chunk of video has arrived. The record's timestamp says when.

    `number` counts the session's reports upwards, `startup_ms` is 0 except in the first,
    `rebuffer_ms` is how long the picture stood still since the report before.

    >>> msgspec.json.decode(b'{"session": "s1"}', type=Report)
    Traceback (most recent call last):
    msgspec.ValidationError: Object missing required field `number`
    """

    session: Name
    number: Count
    location: Name
    cdn: Name
    bitrate_kbps: Count
    throughput_kbps: Count
    chunk_kbit: Count
    chunk_ms: Positive
    delivery_ms: Count
    startup_ms: Count
    rebuffer_ms: Count


class Benchmark(ms.Record):
    """What a CDN's own benchmark promises its viewers."""

    throughput_kbps: Positive
    startup_ms: Positive
    rebuffer_ratio: Annotated[float, Meta(ge=0, lt=1)]


class Place(ms.Record, cache_hash=True):
    """A location as one CDN serves it: what alerts are about. The fields stand in the order of the wire."""

    cdn: Name
    location: Name


def place_key(location: str, cdn: str) -> bytes:
    """The canonical bytes of a place: sorted fields, no spaces, UTF-8.

    >>> place_key("Porto", "meridian")
    b'{"cdn":"meridian","location":"Porto"}'
    """
    return msgspec.json.encode(Place(cdn=cdn, location=location))
