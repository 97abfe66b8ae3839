"""Bytes <-> objects."""

from millstream.serde.avro import AvroSerde
from millstream.serde.avro_schema import avro_decimal, avro_schema, avro_type
from millstream.serde.change import Change, ChangeSerde
from millstream.serde.contract import Serde, TopicBound, bound
from millstream.serde.exact import exact
from millstream.serde.functions import FunctionSerde, all_decoded, serde_from
from millstream.serde.infer import serde_for
from millstream.serde.json import JsonSerde, is_hashable
from millstream.serde.json_schema import JsonSchemaSerde
from millstream.serde.lasting import lasting
from millstream.serde.lists import ListSerde
from millstream.serde.murmur2 import partition_for
from millstream.serde.protobuf import ProtobufSerde
from millstream.serde.record import Record
from millstream.serde.registry import SchemaRegistry
from millstream.serde.scalars import BOOLEAN, BYTES, FLOAT32, FLOAT64, INT16, INT32, INT64, STRING, UUID, VOID
from millstream.serde.sides import SideValuesSerde
from millstream.serde.windowed import SessionWindowedSerde, TimeWindowedSerde, Window, Windowed, window_of
from millstream.serde.windowed_keys import session_windowed, time_windowed

__all__ = [
    "BOOLEAN",
    "BYTES",
    "FLOAT32",
    "FLOAT64",
    "INT16",
    "INT32",
    "INT64",
    "STRING",
    "UUID",
    "VOID",
    "AvroSerde",
    "Change",
    "ChangeSerde",
    "FunctionSerde",
    "JsonSchemaSerde",
    "JsonSerde",
    "ListSerde",
    "ProtobufSerde",
    "Record",
    "SchemaRegistry",
    "Serde",
    "SessionWindowedSerde",
    "SideValuesSerde",
    "TimeWindowedSerde",
    "TopicBound",
    "Window",
    "Windowed",
    "all_decoded",
    "avro_decimal",
    "avro_schema",
    "avro_type",
    "bound",
    "exact",
    "is_hashable",
    "lasting",
    "partition_for",
    "serde_for",
    "serde_from",
    "session_windowed",
    "time_windowed",
    "window_of",
]
