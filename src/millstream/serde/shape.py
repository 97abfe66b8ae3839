"""What a declared type is made of, and whether it can be read from JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect


def parts(of: Any) -> Iterator[inspect.Type]:
    """The type and every type inside of it, each record type once.

    >>> sorted({type(part).__name__ for part in parts(dict[str, list[float]])})
    ['DictType', 'FloatType', 'ListType', 'StrType']
    """
    seen: set[Any] = set()
    try:
        waiting = [inspect.type_info(of)]
    except NameError as error:
        raise TypeError(
            f"an annotation of {_name(of)} cannot be resolved: {error}; define the types that it is made of at the top "
            "of their module"
        ) from error
    while waiting:
        part = waiting.pop()
        cls = getattr(part, "cls", None)
        if cls is not None:
            if cls in seen:
                continue
            seen.add(cls)
        yield part
        waiting += _inside(part)


def _inside(part: inspect.Type) -> Iterator[inspect.Type]:
    match part:
        case inspect.UnionType(types=types):
            yield from types
        case inspect.TupleType(item_types=types):
            yield from types
        case inspect.CollectionType(item_type=item):
            yield item
        case inspect.DictType(key_type=key, value_type=value):
            yield key
            yield value
        case inspect.Metadata(type=inner):
            yield inner
        case (
            inspect.StructType(fields=fields)
            | inspect.DataclassType(fields=fields)
            | inspect.NamedTupleType(fields=fields)
            | inspect.TypedDictType(fields=fields)
        ):
            for field in fields:
                yield field.type


def is_pydantic(of: Any) -> bool:
    """Whether a class is a pydantic model, told without importing pydantic."""
    return isinstance(of, type) and hasattr(of, "__pydantic_validator__") and hasattr(of, "model_validate")


def is_message(of: Any) -> bool:
    """Whether a class is one that protoc made, told without importing protobuf."""
    return isinstance(of, type) and hasattr(of, "DESCRIPTOR") and hasattr(of, "FromString")


def refuse_unreadable(of: Any) -> None:
    """Raises TypeError for a type that JSON cannot be read into, wherever it stands inside of another."""
    for part in parts(of):
        if isinstance(part, inspect.CustomType) and not is_pydantic(part.cls):
            inside = "" if part.cls is of else f" in {_name(of)}"
            raise TypeError(
                f"JSON cannot be read into {_name(part.cls)}{inside}; use a ms.Record, a dataclass or a plain type, or "
                "give a serde: ms.serde_from(encode, decode, of=...)"
            )


def has(of: Any, *kinds: type[inspect.Type]) -> bool:
    """Whether one of these kinds of types is inside.

    >>> has(dict[str, float], inspect.FloatType), has(list[int], inspect.FloatType)
    (True, False)
    """
    return any(isinstance(part, kinds) for part in parts(of))


def read_custom(of: type, plain: Any) -> Any:
    """A value of a type that msgspec leaves to others: pydantic's."""
    if is_pydantic(of):
        return of.model_validate(plain)  # type: ignore[attr-defined]
    raise msgspec.ValidationError(f"cannot read {_name(of)}")


def write_custom(value: Any) -> Any:
    """What msgspec can write in the place of a value that it leaves to others."""
    if is_pydantic(type(value)):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} cannot be written as JSON; use a ms.Record, a dataclass or a plain type")


def _name(of: Any) -> str:
    return of.__name__ if isinstance(of, type) else str(of)
