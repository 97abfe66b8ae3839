"""Serdes with schemas: as plain bytes, or behind the id of a registered schema in Confluent's wire format.

That is the byte 0, the schema's id as i32, and the encoded value; protobuf has the place of its message in between.
"""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any, ClassVar, Generic, Self, TypeVar

from millstream.errors import SerializationError, TopologyError
from millstream.serde.registry import RegisteredSchema, SchemaKind, SchemaRegistry
from millstream.site import CallSite, call_site

T = TypeVar("T")

MAGIC = b"\x00"
HEAD = Struct(">bi")
_MOST_SCHEMAS = 10_000


def refuse_schema_as_type(of: Any, site: CallSite) -> None:
    """The first argument is a type; whoever gives a schema there means `schema=`."""
    if isinstance(of, str | Mapping | os.PathLike):
        raise TopologyError(f"{site}: the first argument is a type; give the schema as schema=")


class SchemaSerde(ABC, Generic[T]):
    """What Avro, protobuf and JSON Schema have in common. Subclasses say how values are written and read."""

    kind: ClassVar[SchemaKind]
    record_name: str  # for subjects that are named after records

    def __init__(self, name: str, of: Any, *, cacheable: bool, registry: SchemaRegistry | None) -> None:
        # in the class's body, and with __slots__, pyright would take them for methods
        self.encode: Callable[[T], bytes]
        self.decode: Callable[[bytes], T]
        if registry is not None and not isinstance(registry, SchemaRegistry):
            site = call_site(type(self).__name__)
            raise TopologyError(f"{site}: registry= takes a ms.SchemaRegistry(url), got {registry!r}")
        self.name = name if registry is None else f"{name} with registry"
        self.type = of
        self.cacheable = cacheable
        self.registry = registry
        self._place: tuple[str, bool] | None = None  # the topic, and whether it is its keys
        self._start()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    def for_topic(self, topic: str, *, is_key: bool) -> Self:
        """The serde for a topic's keys or values, whose schemas stand in the registry under its name."""
        if self.registry is None:
            return self
        serde = copy.copy(self)
        serde._place = (topic, is_key)
        serde._start()
        return serde

    # --- of subclasses

    @abstractmethod
    def _own_schema(self) -> RegisteredSchema | None:
        """The schema to register, if there is one."""

    @abstractmethod
    def _plain(self) -> tuple[Callable[[T], bytes], Callable[[bytes], T]]:
        """How values are written and read without a registry."""

    @abstractmethod
    def _writer(self, schema: RegisteredSchema) -> Callable[[T], bytes]:
        """What writes values with a registered schema, its id in front."""

    @abstractmethod
    def _reader(self, number: int) -> Callable[[bytes], T]:
        """What reads values that were written with that schema; it is given what stands in front too."""

    # --- with a registry

    def _start(self) -> None:
        if self.registry is None:
            self.encode, self.decode = self._plain()
            return
        self._write: Callable[[T], bytes] | None = None
        self._readers: dict[bytes, Callable[[bytes], T]] = {}
        self.encode, self.decode = self._encode_framed, self._decode_framed

    def _encode_framed(self, value: T) -> bytes:
        write = self._write
        if write is None:
            write = self._write = self._writer(self._registered())
        return write(value)

    def _decode_framed(self, data: bytes) -> T:
        read = self._readers.get(data[:5])
        if read is None:
            read = self._new_reader(data)
        return read(data)

    def _registered(self) -> RegisteredSchema:
        assert self.registry is not None
        if self._place is None:
            raise SerializationError(
                f"{self.name} does not know its topic, under which schemas are registered; outside of a program "
                "take serde.for_topic(topic, is_key=False)"
            )
        topic, is_key = self._place
        return self.registry.register(
            self.registry.subject(topic, is_key=is_key, record=self.record_name), self._own_schema()
        )

    def _new_reader(self, data: bytes) -> Callable[[bytes], T]:
        if len(data) < HEAD.size or data[:1] != MAGIC:
            raise ValueError(
                f"{self.name} begins with the byte 0 and the id of a schema, got {len(data)} bytes: {data[:20]!r}; "
                "was it written without a registry?"
            )
        if len(self._readers) >= _MOST_SCHEMAS:
            self._readers.clear()
        read = self._readers[data[:5]] = self._reader(HEAD.unpack_from(data)[1])
        return read
