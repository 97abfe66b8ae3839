"""The compiled module: see `_columns.c`."""

from typing import TypeAlias

from millstream.model import Headers

# topic, partition, offsets, timestamps, keys, values, headers of each row or None
Columns: TypeAlias = tuple[str, int, list[int], list[int], list[bytes | None], list[bytes | None], list[Headers] | None]
Event: TypeAlias = tuple[str | None, int, int, int, str]  # topic, partition, offset, code, text
Told: TypeAlias = tuple[int, str]  # code of an error or level of a log, text
Undelivered: TypeAlias = tuple[str, int, bytes | None, int, int, str]  # topic, partition, key, size, code, text

class Client:
    def read(self, max_records: int, timeout_ms: int, /) -> tuple[list[Columns], list[Event]]: ...
    def produce(
        self,
        topic: str,
        partition: int,
        first: int,
        end: int,
        timestamps: list[int],
        keys: list[bytes | None],
        values: list[bytes | None],
        headers: list[Headers] | None,
        /,
    ) -> tuple[int, int]: ...
    def notices(self) -> tuple[list[Told], list[Told], list[Undelivered]] | None: ...
    def close(self) -> None: ...

def load(path: str, /) -> None: ...
def attached(owner: object, /) -> Client | None: ...
