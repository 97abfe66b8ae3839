"""A serde that is two functions: Kafka's own encodings here, and what a program brings along."""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from millstream.serde.contract import Serde

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FunctionSerde(Generic[T]):
    """Two functions and the type they are for. `size` is the number of bytes where it is always the same, else 0.

    `decode_all` does what `decode` does for many at once, where that can be quicker.
    """

    name: str
    type: Any
    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]
    cacheable: bool = True
    size: int = 0
    decode_all: Callable[[Sequence[bytes]], list[T]] | None = None


def all_decoded(serde: Serde[T], rows: Sequence[bytes]) -> list[T]:
    """What a serde makes of each of these."""
    at_once: Callable[[Sequence[bytes]], list[T]] | None = getattr(serde, "decode_all", None)
    return list(map(serde.decode, rows)) if at_once is None else at_once(rows)


def serde_from(
    encode: Callable[[T], bytes],
    decode: Callable[[bytes], T],
    *,
    of: Any = None,
    name: str | None = None,
    cacheable: bool = False,
) -> Serde[T]:
    r"""A serde of your own, from two functions; Kafka's `Serdes.serdeFrom`.

    `of` is the type of its objects, by default what `decode` says it returns; keys of stores need one. `cacheable`:
    equal objects have equal bytes, so that those of a repeated key may be remembered. Neither function is given None.
    Whatever they raise is reported with the record's place.

    >>> def lines(data: bytes) -> tuple[str, ...]:
    ...     return tuple(data.decode().splitlines())
    >>> serde = serde_from(lambda lines: "\n".join(lines).encode(), lines, name="lines")
    >>> serde.encode(("a", "b")), serde.decode(b"a\nb"), serde.type
    (b'a\nb', ('a', 'b'), tuple[str, ...])
    """
    if not callable(encode) or not callable(decode):
        raise TypeError(f"serde_from takes two functions, encode and decode, got {encode!r} and {decode!r}")
    label: str = getattr(decode, "__qualname__", type(decode).__name__)
    return FunctionSerde(name or label, _returned(decode) if of is None else of, encode, decode, cacheable)


def completed(given: Any) -> Serde[Any]:
    """An object that has `encode` and `decode` and may lack the rest of what a serde tells of itself."""
    if all(hasattr(given, each) for each in ("name", "type", "cacheable")):
        serde: Serde[Any] = given
        return serde
    if hasattr(given, "for_topic"):
        raise TypeError(f"{type(given).__name__} has for_topic, so it must have name, type and cacheable too")
    return FunctionSerde(
        getattr(given, "name", type(given).__qualname__),
        getattr(given, "type", None) or _returned(given.decode),
        given.encode,
        given.decode,
        bool(getattr(given, "cacheable", False)),
    )


def _returned(decode: Callable[..., Any]) -> Any:
    try:
        return typing.get_type_hints(decode).get("return", Any)
    except (NameError, TypeError, AttributeError):
        return Any
