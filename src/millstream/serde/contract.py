"""What a serde is: a name, and the two directions between an object and its bytes. None never reaches it."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, runtime_checkable

T = TypeVar("T")


class Serde(Protocol[T]):
    """Bytes <-> objects of one type.

    `name` tells one serde from another in messages and in the plan's fingerprint. `cacheable` says that equal objects
    have equal bytes, so that the bytes of a repeated key need not be made again. Either direction may raise any
    exception: the engine reports it with the record's place.

    A serde may also have `for_topic` (see `TopicBound`). `ms.serde_from` makes one of two functions.

    >>> class Money:
    ...     # cents as text: 1250 <-> 12.50
    ...     name, type, cacheable = "money", int, True
    ...     def encode(self, value: int) -> bytes:
    ...         return f"{value // 100}.{value % 100:02}".encode()
    ...     def decode(self, data: bytes) -> int:
    ...         return int(data.replace(b".", b""))
    >>> import millstream as ms
    >>> from millstream.testing import drive
    >>> app = ms.App("shop")
    >>> app.stream("prices", value=Money()).map_values(lambda cents: cents * 2, value=Money()).to("doubled")
    >>> drive(app, ("prices", "tea", 250))
    {'doubled': [('tea', 500)]}
    """

    @property
    def name(self) -> str: ...

    @property
    def type(self) -> Any: ...

    @property
    def cacheable(self) -> bool: ...

    def encode(self, value: T, /) -> bytes: ...

    def decode(self, data: bytes, /) -> T: ...


@runtime_checkable
class TopicBound(Protocol):
    """A serde that depends on the topic, such as one whose schema is registered under the topic's name.

    `for_topic` is asked once for each place where the serde is used, when a task is made, never for a record. State
    stores use the names of their changelogs, as in Kafka Streams.
    """

    def for_topic(self, topic: str, *, is_key: bool) -> Any: ...


def bound(serde: Serde[T], topic: str, *, is_key: bool) -> Serde[T]:
    """The serde for the keys or the values of one topic."""
    if isinstance(serde, TopicBound):
        of_topic: Serde[T] = serde.for_topic(topic, is_key=is_key)
        return of_topic
    return serde
