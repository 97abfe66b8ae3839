"""Avro schemas from Python types."""

from __future__ import annotations

import enum
import re
import typing
from typing import Any

import msgspec
from msgspec import inspect

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCALARS: dict[type[inspect.Type], Any] = {
    inspect.StrType: "string",
    inspect.IntType: "long",
    inspect.FloatType: "double",
    inspect.BoolType: "boolean",
    inspect.BytesType: "bytes",
    inspect.NoneType: "null",
    inspect.UUIDType: {"type": "string", "logicalType": "uuid"},
    inspect.DateType: {"type": "int", "logicalType": "date"},
    inspect.TimeType: {"type": "long", "logicalType": "time-micros"},
}
_INSTEAD = {
    inspect.DecimalType: "Decimal needs digits and scale: Annotated[Decimal, ms.avro_decimal(10, 2)]",
    inspect.TimeDeltaType: "Avro has no type for timedelta; keep milliseconds as int",
    inspect.AnyType: "Avro must know the type; declare it",
}


def avro_type(schema: Any) -> msgspec.Meta:
    """For a field whose Avro type is not the usual one: `Annotated[int, ms.avro_type("int")]`.

    Without it int is a long, float a double, datetime timestamp-micros and time time-micros.

    >>> from typing import Annotated
    >>> avro_schema(Annotated[int, avro_type("int")])
    'int'
    """
    return msgspec.Meta(extra={"avro": schema})


def avro_decimal(precision: int, scale: int) -> msgspec.Meta:
    """The Avro type of a Decimal: so many digits, so many of them behind the point.

    >>> from typing import Annotated
    >>> from decimal import Decimal
    >>> avro_schema(Annotated[Decimal, avro_decimal(10, 2)])
    {'type': 'bytes', 'logicalType': 'decimal', 'precision': 10, 'scale': 2}
    """
    if not 0 <= scale <= precision or precision < 1:
        raise ValueError(f"a decimal has 1 digit or more and a scale from 0 to that, got ({precision}, {scale})")
    return avro_type({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})


def avro_schema(of: Any, *, namespace: str | None = None) -> Any:
    """The Avro schema of a type, as JSON data. Raises TypeError where Avro has no such type.

    >>> class Order(msgspec.Struct):
    ...     id: int
    ...     note: str | None = None
    >>> avro_schema(Order, namespace="shop")  # doctest: +NORMALIZE_WHITESPACE
    {'type': 'record', 'name': 'Order', 'namespace': 'shop', 'fields': [{'name': 'id', 'type': 'long'},
     {'name': 'note', 'type': ['null', 'string'], 'default': None}]}
    """
    named = isinstance(of, type) and typing.get_origin(of) is None
    return _Schemas(namespace).of(inspect.type_info(of), of.__name__ if named else str(of))


class _Schemas:
    """The named types so far: Avro has each written out once, and referred to afterwards."""

    def __init__(self, namespace: str | None) -> None:
        self._namespace = namespace
        self._named: dict[str, Any] = {}

    def of(self, info: inspect.Type, where: str) -> Any:
        """`where` is the field, for messages."""
        match info:
            case inspect.Metadata(type=inner, extra=extra):
                given = (extra or {}).get("avro")
                return self.of(inner, where) if given is None else given
            case inspect.DateTimeType(tz=False):
                return {"type": "long", "logicalType": "local-timestamp-micros"}
            case inspect.DateTimeType():
                return {"type": "long", "logicalType": "timestamp-micros"}
            case inspect.CollectionType(item_type=item):
                return {"type": "array", "items": self.of(item, where)}
            case inspect.DictType(key_type=inspect.StrType(), value_type=value):
                return {"type": "map", "values": self.of(value, where)}
            case inspect.UnionType(types=types):
                return self._union(types, where)
            case inspect.LiteralType(values=values):
                return "string" if isinstance(values[0], str) else "long"
            case inspect.EnumType(cls=cls):
                return self._enum(cls, where)
            case inspect.StructType() | inspect.DataclassType() | inspect.TypedDictType():
                return self._record(info, where)
        known = _SCALARS.get(type(info))
        if known is None:
            kind = type(info).__name__.removesuffix("Type").lower()
            raise TypeError(f"{where}: {_INSTEAD.get(type(info), f'Avro has no type for this {kind}; give a schema=')}")
        return known

    def _union(self, types: tuple[inspect.Type, ...], where: str) -> list[Any]:
        # null first: a default must be of the first type, and None is the usual one
        ordered = sorted(types, key=lambda each: not isinstance(each, inspect.NoneType))
        return [self.of(each, where) for each in ordered]

    def _enum(self, cls: type[enum.Enum], where: str) -> Any:
        symbols = [member.value for member in cls]
        if all(isinstance(symbol, int) for symbol in symbols):
            return "long"
        if not all(isinstance(symbol, str) and _NAME.fullmatch(symbol) for symbol in symbols):
            return "string"
        return self._known(cls, where) or {**self._new("enum", cls), "symbols": symbols}

    def _record(self, info: inspect.StructType | inspect.DataclassType | inspect.TypedDictType, where: str) -> Any:
        known = self._known(info.cls, where)
        if known is not None:
            return known
        schema = self._new("record", info.cls)
        fields = [self._field(field, f"{info.cls.__name__}.{field.name}") for field in info.fields]
        if isinstance(info, inspect.StructType) and info.tag_field is not None:
            tag = {"type": "enum", "name": f"{schema['name']}Tag", "symbols": [info.tag]}
            fields.insert(0, {"name": info.tag_field, "type": tag})
        return {**schema, "fields": fields}

    def _field(self, field: inspect.Field, where: str) -> dict[str, Any]:
        schema = self.of(field.type, where)
        made: dict[str, Any] = {"name": field.encode_name, "type": schema}
        default = field.default
        if field.default_factory in (list, dict, set, frozenset):
            default = {} if field.default_factory is dict else []
        elif default is msgspec.NODEFAULT and not field.required and field.default_factory is msgspec.NODEFAULT:
            made["type"] = ["null", *(schema if isinstance(schema, list) else [schema])]  # a key that may be absent
            default = None
        if isinstance(default, set | frozenset | tuple):
            default = list(default) if not default else msgspec.NODEFAULT
        if default is None or isinstance(default, bool | int | float | str | list | dict):
            if default is not None and isinstance(schema, list):
                made["type"] = [each for each in schema if each != "null"] + ["null"] * ("null" in schema)
            made["default"] = default.value if isinstance(default, enum.Enum) else default
        return made

    def _known(self, cls: type, where: str) -> str | None:
        """The full name of a type that is written out already."""
        name = cls.__name__
        if not _NAME.fullmatch(name):
            raise TypeError(f"{where}: {name!r} cannot name an Avro type; use letters, digits and '_'")
        known = self._named.get(name, cls)
        if known is not cls:
            raise TypeError(f"{where}: two types are named {name}; give one of them another name, or a schema=")
        if name not in self._named:
            return None
        return name if self._namespace is None else f"{self._namespace}.{name}"

    def _new(self, kind: str, cls: type) -> dict[str, Any]:
        self._named[cls.__name__] = cls
        named = {"type": kind, "name": cls.__name__}
        return named if self._namespace is None else {**named, "namespace": self._namespace}
