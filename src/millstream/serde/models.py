"""Pydantic models, and types made of them, as JSON that pydantic reads, validates and writes."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from millstream.serde.canonical import settled
from millstream.serde.shape import is_pydantic

T = TypeVar("T")


def is_made_of_models(of: Any) -> bool:
    """Whether a type is a pydantic model or one of its dataclasses, or has one in its arguments."""
    return (
        is_pydantic(of) or hasattr(of, "__is_pydantic_dataclass__") or any(map(is_made_of_models, typing.get_args(of)))
    )


class PydanticSerde(Generic[T]):
    """JSON by pydantic (version 2). A key is written in the canonical form of `JsonSerde`."""

    def __init__(self, of: Any, *, key: bool = False) -> None:
        # in the class's body, and with __slots__, pyright would take them for methods
        self.encode: Callable[[T], bytes]
        self.decode: Callable[[bytes], T]
        self.type = of
        self.name = f"pydantic({of.__name__ if isinstance(of, type) else of})"
        self.cacheable = False
        from pydantic import TypeAdapter  # who gives a model has it

        adapter: TypeAdapter[T] = TypeAdapter(of)
        self.decode = _validating(adapter.validate_json)
        dump = adapter.dump_json
        # aliases are what the model reads
        self.encode = _canonical(adapter) if key else lambda value: dump(value, by_alias=True)

    def __repr__(self) -> str:
        return f"PydanticSerde({self.name})"


def _validating(validate: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """Says in one line what pydantic says in many."""
    from pydantic import ValidationError

    def decode(data: bytes) -> T:
        try:
            return validate(data)
        except ValidationError as error:
            wrong = (f"{'.'.join(map(str, each['loc'])) or '$'}: {each['msg']}" for each in error.errors())
            raise ValueError(f"{error.title}: {', '.join(wrong)}") from error

    return decode


def _canonical(adapter: Any) -> Callable[[Any], bytes]:
    from pydantic import TypeAdapter

    to_json = TypeAdapter(Any).dump_python
    write = msgspec.json.Encoder(order="sorted").encode

    def encode(key: Any) -> bytes:
        return write(to_json(settled(adapter.dump_python(key, by_alias=True)), mode="json"))

    return encode
