"""Protobuf messages, made at run time as protoc would make them: a file that imports another one."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pool, timestamp_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass

POOL = descriptor_pool.DescriptorPool()
POOL.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)  # type: ignore[attr-defined]


def field(name: str, number: int, kind: int, type_name: str = "", *, repeated: bool = False) -> FieldDescriptorProto:
    label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    made = FieldDescriptorProto(name=name, number=number, type=kind, label=label)  # type: ignore[arg-type]
    if type_name:
        made.type_name = type_name
    return made


MONEY = FileDescriptorProto(
    name="shop/money.proto",
    package="shop",
    syntax="proto3",
    message_type=[DescriptorProto(name="Money", field=[field("cents", 1, FieldDescriptorProto.TYPE_INT64)])],
)
LABELS = DescriptorProto(
    name="LabelsEntry",
    field=[field("key", 1, FieldDescriptorProto.TYPE_STRING), field("value", 2, FieldDescriptorProto.TYPE_STRING)],
)
LABELS.options.map_entry = True
ORDERS = FileDescriptorProto(
    name="shop/orders.proto",
    package="shop",
    syntax="proto3",
    dependency=["shop/money.proto", "google/protobuf/timestamp.proto"],
    message_type=[
        DescriptorProto(name="Customer", field=[field("name", 1, FieldDescriptorProto.TYPE_STRING)]),
        DescriptorProto(
            name="Order",
            field=[
                field("id", 1, FieldDescriptorProto.TYPE_INT64),
                field("item", 2, FieldDescriptorProto.TYPE_STRING),
                field("price", 3, FieldDescriptorProto.TYPE_MESSAGE, ".shop.Money"),
                field("at", 4, FieldDescriptorProto.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
                field("labels", 5, FieldDescriptorProto.TYPE_MESSAGE, ".shop.Order.LabelsEntry", repeated=True),
            ],
            nested_type=[
                LABELS,
                DescriptorProto(name="Line", field=[field("count", 1, FieldDescriptorProto.TYPE_INT32)]),
            ],
        ),
    ],
)
POOL.AddSerializedFile(MONEY.SerializeToString())
POOL.AddSerializedFile(ORDERS.SerializeToString())


def message(name: str) -> Any:
    return GetMessageClass(POOL.FindMessageTypeByName(name))


Customer, Order, Line, Money = map(message, ("shop.Customer", "shop.Order", "shop.Order.Line", "shop.Money"))
