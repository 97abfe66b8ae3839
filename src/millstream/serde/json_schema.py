"""JSON with a JSON Schema: registered in a registry, and checked where the type alone does not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

import msgspec

from millstream.errors import TopologyError
from millstream.serde.contract import Serde
from millstream.serde.framed import HEAD, SchemaSerde, refuse_schema_as_type
from millstream.serde.json import JsonSerde
from millstream.serde.models import PydanticSerde, is_made_of_models
from millstream.serde.registry import RegisteredSchema, SchemaKind, SchemaRegistry
from millstream.site import CallSite, call_site

T = TypeVar("T")


class JsonSchemaSerde(SchemaSerde[T], Generic[T]):
    """JSON of a type, of a JSON Schema, or of both. `validate` needs `millstream[json-schema]`.

    The `schema` is JSON data or text; by default that of the type. With a `registry` a value stands behind its schema's
    id, as Confluent's serialisers write it, and without one it is plain JSON. Reading asks no registry: the type, or
    the schema, says what is good. `validate` checks values against the schema when they are read and written, which is
    slow (tens of microseconds); by default only where there is no type to check them.

    >>> serde = JsonSchemaSerde(schema={"title": "N", "type": "object", "required": ["n"]})
    >>> serde.decode(b'{"n": 1}')
    {'n': 1}
    >>> serde.decode(b'{}')
    Traceback (most recent call last):
    ValueError: $: 'n' is a required property
    """

    kind: ClassVar[SchemaKind] = "JSON"

    @overload
    def __init__(
        self,
        of: type[T],
        *,
        schema: Any = None,
        registry: SchemaRegistry | None = None,
        validate: bool | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: JsonSchemaSerde[Any],
        of: Any = None,
        *,
        schema: Any = None,
        registry: SchemaRegistry | None = None,
        validate: bool | None = None,
    ) -> None: ...
    def __init__(
        self,
        of: Any = None,
        *,
        schema: Any = None,
        registry: SchemaRegistry | None = None,
        validate: bool | None = None,
    ) -> None:
        site = call_site("JsonSchemaSerde")
        refuse_schema_as_type(of, site)
        if of is None and schema is None and registry is None:
            raise TopologyError(f"{site}: give a record type, a schema= or a registry=")
        untyped = of is None or of in (Any, dict)
        try:
            self._inner = _json(Any if of is None else of, key=False)
            self._schema = _given(of, schema) if schema is not None or not untyped else None
        except (TypeError, ValueError) as error:
            raise TopologyError(f"{site}: {error}") from error
        self._validate: Callable[[Any], None] | None = None
        if self._schema is not None and (untyped if validate is None else validate):
            self._validate = _validator(self._schema, site)
        self.record_name = str((self._schema or {}).get("title", ""))
        name = f"json-schema({self.record_name or 'any'})"
        super().__init__(name, self._inner.type, cacheable=self._inner.cacheable, registry=registry)

    def for_topic(self, topic: str, *, is_key: bool) -> Self:
        """As keys, values are written in one canonical form."""
        serde = copy.copy(self)
        serde._place = (topic, is_key)
        serde._inner = _json(self._inner.type, key=is_key)
        serde._start()
        return serde

    def _own_schema(self) -> RegisteredSchema | None:
        return None if self._schema is None else RegisteredSchema(0, self.kind, json.dumps(self._schema))

    def _plain(self) -> tuple[Callable[[T], bytes], Callable[[bytes], T]]:
        return self._encoder(b""), self._decoder(0)

    def _writer(self, schema: RegisteredSchema) -> Callable[[T], bytes]:
        return self._encoder(HEAD.pack(0, schema.id))

    def _reader(self, number: int) -> Callable[[bytes], T]:
        return self._decoder(HEAD.size)

    def _encoder(self, head: bytes) -> Callable[[T], bytes]:
        write, validate = self._inner.encode, self._validate
        if validate is None:
            return (lambda value: head + write(value)) if head else write

        def encode(value: T) -> bytes:
            data = write(value)
            validate(msgspec.json.decode(data))
            return head + data

        return encode

    def _decoder(self, start: int) -> Callable[[bytes], T]:
        read, validate = self._inner.decode, self._validate
        if validate is None:
            return (lambda data: read(data[start:])) if start else read

        def decode(data: bytes) -> T:
            body = data[start:]
            validate(msgspec.json.decode(body))
            value: T = read(body)
            return value

        return decode


def _json(of: Any, *, key: bool) -> Serde[Any]:
    return PydanticSerde(of, key=key) if is_made_of_models(of) else JsonSerde(of, key=key)


def _given(of: Any, schema: Any) -> dict[str, Any]:
    if schema is None:
        return schema_of(of)
    found = json.loads(schema) if isinstance(schema, str) else schema
    if not isinstance(found, Mapping):
        raise TypeError(f"schema= must be a JSON Schema as data or text, got {found!r}")
    return dict(found)


def schema_of(of: Any) -> dict[str, Any]:
    """The JSON Schema of a type, with a title, which Confluent's serialisers ask for.

    >>> schema_of(list[int])
    {'title': 'list[int]', 'type': 'array', 'items': {'type': 'integer'}}
    """
    if is_made_of_models(of):
        from pydantic import TypeAdapter

        schema = TypeAdapter(of).json_schema(mode="serialization")
    else:
        schema = msgspec.json.schema(of)
    reference = schema.get("$ref")
    if reference is not None:  # the type itself, beside those that it is made of
        schema = {**schema["$defs"][reference.removeprefix("#/$defs/")], "$defs": schema["$defs"]}
    title = of.__name__ if isinstance(of, type) and type(of).__name__ != "GenericAlias" else str(of)
    return {"title": title, **schema}


def _validator(schema: dict[str, Any], site: CallSite) -> Callable[[Any], None]:
    try:
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import validator_for
    except ImportError as error:
        raise TopologyError(
            f"{site}: to check values against a JSON Schema needs jsonschema, which is not installed: "
            "pip install 'millstream[json-schema]'"
        ) from error
    kind = validator_for(schema)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise TopologyError(f"{site}: this is no JSON Schema: {error.json_path}: {error.message}") from error
    validator = kind(schema)

    def validate(value: Any) -> None:
        for wrong in validator.iter_errors(value):
            raise ValueError(f"{wrong.json_path}: {wrong.message}")

    return validate
