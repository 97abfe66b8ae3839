"""Protobuf messages of generated classes, as plain bytes or behind the id of their schema in a registry."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

from millstream.errors import TopologyError
from millstream.serde.framed import HEAD, SchemaSerde
from millstream.serde.registry import Reference, RegisteredSchema, SchemaKind, SchemaRegistry
from millstream.serde.shape import is_message
from millstream.site import call_site

M = TypeVar("M")

Place = tuple[int, ...]  # of a message in its file: its number, below it the numbers of messages inside of messages

_BUILTIN = ("google/protobuf/", "google/type/", "confluent/")  # files that every reader has


class ProtobufSerde(SchemaSerde[M], Generic[M]):
    """Messages of a class that `protoc` made; the class itself may be given wherever a type can be.

    Without a `registry` a value is the message's bytes and nothing else. With one, it stands behind its schema's id and
    the place of the message in its file, as Confluent's serialisers write it; imported files are registered under their
    own names. Equal messages are written alike by one version of the library (maps are sorted), but messages have no
    hash: they are no keys of tables and groups.

    >>> from google.protobuf.wrappers_pb2 import StringValue
    >>> serde = ProtobufSerde(StringValue)
    >>> serde.decode(serde.encode(StringValue(value="tea"))).value
    'tea'
    """

    kind: ClassVar[SchemaKind] = "PROTOBUF"

    def __init__(self, of: type[M], *, registry: SchemaRegistry | None = None) -> None:
        if not is_message(of):
            raise TopologyError(
                f"{call_site('ProtobufSerde')}: expected a message class that protoc made, got {of!r}; generating one "
                "needs the library: pip install 'millstream[protobuf]'"
            )
        self._descriptor: Any = of.DESCRIPTOR  # type: ignore[attr-defined]
        self._from_bytes: Callable[[bytes], M] = of.FromString  # type: ignore[attr-defined]
        self.record_name = str(self._descriptor.full_name)
        super().__init__(f"protobuf({self.record_name})", of, cacheable=False, registry=registry)

    def _plain(self) -> tuple[Callable[[M], bytes], Callable[[bytes], M]]:
        return self._write_behind(b""), self._from_bytes

    def _own_schema(self) -> RegisteredSchema | None:
        assert self.registry is not None
        if self.registry.use_latest_version:
            return None
        return _schema_of(self._descriptor.file, self.registry)

    def _writer(self, schema: RegisteredSchema) -> Callable[[M], bytes]:
        return self._write_behind(HEAD.pack(0, schema.id) + written_place(place_of(self._descriptor)))

    def _write_behind(self, head: bytes) -> Callable[[M], bytes]:
        of = self.type

        def encode(value: Any) -> bytes:
            if not isinstance(value, of):
                raise TypeError(f"expected a message {of.__name__}, got {type(value).__name__}")
            return head + value.SerializeToString(deterministic=True)  # type: ignore[no-any-return]

        return encode

    def _reader(self, number: int) -> Callable[[bytes], M]:
        assert self.registry is not None
        schema = self.registry.schema(number, form="serialized")
        if schema.kind != self.kind:
            raise ValueError(f"the schema with id {number} is of kind {schema.kind}, not PROTOBUF")
        parse, wanted = self._from_bytes, self.record_name
        usual = b""  # the place that stood there last, and is this message's
        start = HEAD.size

        def decode(data: bytes) -> M:
            nonlocal usual, start
            if not usual or data[HEAD.size : start] != usual:
                place, end = read_place(data)
                name = _message_at(schema.text, place)
                if name not in (wanted, None):
                    raise ValueError(f"this is a message {name}, not {wanted}")
                usual, start = data[HEAD.size : end], end
            return parse(data[start:])

        return decode


def _schema_of(file: Any, registry: SchemaRegistry) -> RegisteredSchema:
    """A file's schema; the files that it imports are registered first."""
    references: list[Reference] = []
    for imported in file.dependencies:
        if imported.name.startswith(_BUILTIN):
            continue
        inner = _schema_of(imported, registry)
        if registry.auto_register_schemas:
            registry.register(imported.name, inner)
        references.append(Reference(imported.name, imported.name, registry.version(imported.name, inner)))
    return RegisteredSchema(0, "PROTOBUF", base64.b64encode(file.serialized_pb).decode(), tuple(references))


def _message_at(text: str, place: Place) -> str | None:
    """The full name of a message of a registered file; None where the registry gives the file as text."""
    from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
    from google.protobuf.message import DecodeError

    try:
        file = FileDescriptorProto.FromString(base64.b64decode(text, validate=True))
    except (binascii.Error, DecodeError):
        return None
    names = [file.package] if file.package else []
    messages: Any = file.message_type
    for number in place:
        if number >= len(messages):
            raise ValueError(f"{file.name} has no message at {place}")
        message: DescriptorProto = messages[number]
        names.append(message.name)
        messages = message.nested_type
    return ".".join(names)


def place_of(descriptor: Any) -> Place:
    """Where a message stands in its file."""
    outer = descriptor.containing_type
    if outer is None:
        return (list(descriptor.file.message_types_by_name).index(descriptor.name),)
    return (*place_of(outer), [each.name for each in outer.nested_types].index(descriptor.name))


def written_place(place: Place) -> bytes:
    r"""As many numbers as there are and these, as zigzag varints; the first message of a file, the usual one, is 0.

    >>> written_place((0,)), written_place((1, 0)), read_place(bytes(5) + written_place((300, 2)))
    (b'\x00', b'\x04\x02\x00', ((300, 2), 9))
    """
    if place == (0,):
        return b"\x00"
    out = bytearray()
    for number in (len(place), *place):
        rest = number << 1
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def read_place(data: bytes) -> tuple[Place, int]:
    """The place that stands behind a schema's id, and where the message begins."""
    count, at = _number(data, HEAD.size)
    if count == 0:
        return (0,), at
    numbers: list[int] = []
    for _ in range(count):
        number, at = _number(data, at)
        numbers.append(number)
    return tuple(numbers), at


def _number(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= len(data) or shift > 28:
            raise ValueError(f"no place of a message stands behind the schema's id: {data[:20]!r}")
        number |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return number >> 1, at
