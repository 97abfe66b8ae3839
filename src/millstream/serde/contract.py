"""What a serde is: a name, and the two directions between an object and its bytes. None never reaches it."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Serde(Protocol[T]):
    """Bytes <-> objects of one type.

    `name` tells one serde from another in messages and in the plan's fingerprint. `cacheable` says that equal objects
    have equal bytes, so that the bytes of a repeated key need not be made again. Either direction may raise any
    exception: the engine reports it with the record's place.
    """

    @property
    def name(self) -> str: ...

    @property
    def type(self) -> Any: ...

    @property
    def cacheable(self) -> bool: ...

    def encode(self, value: T, /) -> bytes: ...

    def decode(self, data: bytes, /) -> T: ...
