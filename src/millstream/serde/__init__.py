"""Bytes <-> objects."""

from millstream.serde.change import Change, ChangeSerde
from millstream.serde.contract import Serde
from millstream.serde.infer import serde_for
from millstream.serde.json import JsonSerde, is_hashable
from millstream.serde.murmur2 import partition_for
from millstream.serde.record import Record
from millstream.serde.scalars import BYTES, FLOAT64, INT32, INT64, STRING
from millstream.serde.sides import SideValuesSerde
from millstream.serde.windowed import SessionWindowedSerde, TimeWindowedSerde, Window, Windowed

__all__ = [
    "BYTES",
    "FLOAT64",
    "INT32",
    "INT64",
    "STRING",
    "Change",
    "ChangeSerde",
    "JsonSerde",
    "Record",
    "Serde",
    "SessionWindowedSerde",
    "SideValuesSerde",
    "TimeWindowedSerde",
    "Window",
    "Windowed",
    "is_hashable",
    "partition_for",
    "serde_for",
]
