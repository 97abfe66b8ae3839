"""Avro by fastavro: records as plain binary data, or behind the id of their schema in a registry."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, overload

from millstream.errors import TopologyError
from millstream.serde.avro_checks import check_of
from millstream.serde.avro_schema import avro_schema
from millstream.serde.framed import HEAD, SchemaSerde, refuse_schema_as_type
from millstream.serde.records import from_plain, is_cacheable, to_plain
from millstream.serde.registry import RegisteredSchema, SchemaKind, SchemaRegistry
from millstream.site import CallSite, call_site

T = TypeVar("T")

_PYTHON_TYPES: dict[Any, Any] = {
    "string": str,
    "bytes": bytes,
    "int": int,
    "long": int,
    "float": float,
    "double": float,
    "boolean": bool,
}


class AvroSerde(SchemaSerde[T], Generic[T]):
    """Avro, of a record type, of a schema, or of both. Install it with `millstream[avro]`.

    The `schema` is JSON data, JSON text or the path of a file; by default that of the type, whose records are then in
    the `namespace`. Without a type records are dicts. With both, the schema says how they are written and the type is
    what they become.

    Without a `registry` a value is Avro's binary encoding and nothing else: reader and writer must have one schema.
    With one, it stands behind its schema's id, as Confluent's serialisers write it, and what was written with an older
    or newer schema is read as this one tells (Avro's schema resolution).

    >>> import millstream as ms
    >>> class Order(ms.Record):
    ...     id: int
    ...     item: str
    >>> ms.AvroSerde(Order).encode(Order(1, "tea")).hex()
    '0206746561'
    """

    kind: ClassVar[SchemaKind] = "AVRO"

    @overload
    def __init__(
        self,
        of: type[T],
        *,
        schema: Any = None,
        namespace: str | None = None,
        registry: SchemaRegistry | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: AvroSerde[Any],
        of: Any = None,
        *,
        schema: Any = None,
        namespace: str | None = None,
        registry: SchemaRegistry | None = None,
    ) -> None: ...
    def __init__(
        self,
        of: Any = None,
        *,
        schema: Any = None,
        namespace: str | None = None,
        registry: SchemaRegistry | None = None,
    ) -> None:
        site = call_site("AvroSerde")
        _require_fastavro(site)
        refuse_schema_as_type(of, site)
        if of is None and schema is None and registry is None:
            raise TopologyError(f"{site}: give a record type, a schema= or a registry=")
        self._schema = _given(of, schema, namespace, site)
        self._parsed = None if self._schema is None else _parsed(self._schema, {}, site)
        if of is None:
            of = _PYTHON_TYPES.get(self._parsed if isinstance(self._parsed, str) else None, Any)
        try:
            self._to_plain, self._from_plain = to_plain(of), from_plain(of)
            cacheable = is_cacheable(of)
        except TypeError as error:
            raise TopologyError(f"{site}: {error}") from error
        self.record_name = _full_name(self._parsed) or str(getattr(of, "__name__", ""))
        super().__init__(f"avro({self.record_name or 'any'})", of, cacheable=cacheable, registry=registry)

    def _own_schema(self) -> RegisteredSchema | None:
        if self._schema is None:
            return None
        return RegisteredSchema(0, self.kind, json.dumps(self._schema))

    def _plain(self) -> tuple[Callable[[T], bytes], Callable[[bytes], T]]:
        return self._write_with(self._parsed, b""), self._read_from(self._parsed, 0)

    def _writer(self, schema: RegisteredSchema) -> Callable[[T], bytes]:
        own = self._own_schema()
        parsed = self._parsed if own is not None and schema.text == own.text else self._fetched(schema)
        return self._write_with(parsed, HEAD.pack(0, schema.id))

    def _reader(self, number: int) -> Callable[[bytes], T]:
        assert self.registry is not None
        schema = self.registry.schema(number)
        if schema.kind != self.kind:
            raise ValueError(f"the schema with id {number} is of kind {schema.kind}, not AVRO")
        return self._read_from(self._fetched(schema), HEAD.size)

    def _fetched(self, schema: RegisteredSchema) -> Any:
        """A schema of the registry's, with those that it refers to."""
        assert self.registry is not None
        named: dict[str, Any] = {}
        for inner in self.registry.referenced(schema).values():
            _parsed(json.loads(inner.text), named, None)
        return _parsed(json.loads(schema.text), named, None)

    def _write_with(self, parsed: Any, head: bytes) -> Callable[[T], bytes]:
        from fastavro import schemaless_writer

        plain, check, name = self._to_plain, check_of(parsed, {}), self.name

        def encode(value: T) -> bytes:
            record = value if plain is None else plain(value)
            try:
                if check is not None:
                    check(record)
                out = BytesIO()
                out.write(head)
                schemaless_writer(out, parsed, record, strict_allow_default=True)
            except (ValueError, TypeError, OverflowError, KeyError, AttributeError) as error:
                raise ValueError(f"{name}: {error}: {value!r}"[:1000]) from error
            return out.getvalue()

        return encode

    def _read_from(self, written: Any, start: int) -> Callable[[bytes], T]:
        """What reads data behind so many bytes; `written` is the schema that it was written with."""
        from fastavro import schemaless_reader

        wanted = None if self._parsed is None or self._parsed == written else self._parsed
        typed, name = self._from_plain, self.name

        def decode(data: bytes) -> T:
            stream = BytesIO(data)
            stream.seek(start)
            try:
                record: Any = schemaless_reader(stream, written, wanted)
            except Exception as error:  # fastavro raises whatever comes of bytes that are something else
                raise ValueError(
                    f"{len(data)} bytes are no {name}: {type(error).__name__}: {error}; {data[:20]!r}"
                ) from error
            if stream.tell() != len(data):
                raise ValueError(f"{name} takes {stream.tell()} of {len(data)} bytes: {data[:20]!r}")
            return record if typed is None else typed(record)  # type: ignore[no-any-return]

        return decode


def _given(of: Any, schema: Any, namespace: str | None, site: CallSite) -> Any:
    if schema is None:
        try:
            return None if of is None or of in (Any, dict) else avro_schema(of, namespace=namespace)
        except TypeError as error:
            raise TopologyError(f"{site}: {error}") from error
    if namespace is not None:
        raise TopologyError(f"{site}: namespace= is for the schema of a type; the schema given has its own")
    try:
        if isinstance(schema, os.PathLike):
            return json.loads(Path(schema).read_text("utf-8"))
        if isinstance(schema, str) and schema.lstrip()[:1] in ("{", "[", '"'):
            return json.loads(schema)
        if isinstance(schema, str) and schema.endswith((".avsc", ".json")):
            return json.loads(Path(schema).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TopologyError(f"{site}: schema= cannot be read: {error}") from error
    return dict(schema) if isinstance(schema, Mapping) else schema


def _parsed(schema: Any, named: dict[str, Any], site: CallSite | None) -> Any:
    from fastavro import parse_schema

    try:
        return parse_schema(schema, named_schemas=named)
    except Exception as error:  # fastavro's own, and whatever comes of data that is no schema
        if site is None:
            raise
        raise TopologyError(f"{site}: this is no Avro schema: {type(error).__name__}: {error}") from error


def _full_name(parsed: Any) -> str | None:
    return str(parsed["name"]) if isinstance(parsed, dict) and "name" in parsed else None


def _require_fastavro(site: CallSite) -> None:
    try:
        import fastavro  # noqa: F401
    except ImportError as error:
        raise TopologyError(
            f"{site}: Avro needs fastavro, which is not installed: pip install 'millstream[avro]'"
        ) from error
