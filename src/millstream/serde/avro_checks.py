"""What the Avro encoder would write wrongly without a word: integers out of range, fractions, naive times."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, TypeAlias

# raises ValueError for a value that does not fit
Check: TypeAlias = Callable[[Any], None]

_INT, _LONG = 2**31, 2**63
_FLOAT = 3.4028235677973366e38  # from here on a float of 32 bits is infinite


def check_of(schema: Any, named: dict[str, Check | None]) -> Check | None:
    """The check of values of a parsed schema, None where there is nothing that could go wrong.

    >>> check = check_of({"type": "record", "name": "R", "fields": [{"name": "n", "type": "int"}]}, {})
    >>> check({"n": 2**31})
    Traceback (most recent call last):
    ValueError: n: 2147483648 does not fit int
    """
    if isinstance(schema, list):
        return _union([(each, check_of(each, named)) for each in schema])
    if isinstance(schema, str):
        return named[schema] if schema in named else _SCALARS.get(schema)
    kind, logical = schema["type"], schema.get("logicalType")
    if logical == "decimal":
        return _decimal(schema["precision"], schema.get("scale", 0))
    if logical in _LOGICAL:
        return _LOGICAL[logical]
    match kind:
        case "record" | "error":
            return _record(schema, named)
        case "array":
            return _each(check_of(schema["items"], named))
        case "map":
            inner = _each(check_of(schema["values"], named))
            return None if inner is None else lambda value: inner(value.values())
        case str() if logical is None:
            return _SCALARS.get(kind)
        case _:
            return None if logical is not None else check_of(kind, named)


def _record(schema: dict[str, Any], named: dict[str, Check | None]) -> Check | None:
    fields: list[tuple[str, Check]] = []

    def check(value: Any) -> None:
        for name, of_field in fields:
            if name in value:
                try:
                    of_field(value[name])
                except ValueError as error:
                    raise ValueError(f"{name}{'.' if _names_a_field(error) else ': '}{error}") from None

    named[schema["name"]] = check  # it may refer to itself
    fields += [(each["name"], found) for each in schema["fields"] if (found := check_of(each["type"], named))]
    if not fields:
        named[schema["name"]] = None
        return None
    return check


def _names_a_field(error: ValueError) -> bool:
    return str(error).split(":")[0].replace(".", "").isidentifier()


def _union(branches: list[tuple[Any, Check | None]]) -> Check | None:
    """Of an optional value. In a union of more types the encoder looks for one that fits."""
    wanted = [check for schema, check in branches if schema != "null"]
    if len(wanted) != 1 or wanted[0] is None or len(branches) != 2:
        return None
    only = wanted[0]

    def check(value: Any) -> None:
        if value is not None:
            only(value)

    return check


def _each(check: Check | None) -> Check | None:
    if check is None:
        return None

    def check_all(values: Iterable[Any]) -> None:
        for value in values:
            check(value)

    return check_all


def _whole(name: str, limit: int) -> Check:
    def check(value: Any) -> None:
        if not isinstance(value, int) or value is True or value is False or not -limit <= value < limit:
            raise ValueError(f"{value!r} does not fit {name}")

    return check


def _decimal(precision: int, scale: int) -> Check:
    """Before the encoder writes it out, which for 1E+999999999 would fill the memory."""
    before = precision - scale

    def check(value: Any) -> None:
        if not isinstance(value, Decimal) or not value.is_finite():
            raise ValueError(f"{value!r} is no finite Decimal")
        exponent = value.as_tuple().exponent
        if (value and value.adjusted() >= before) or int(exponent) > precision:
            raise ValueError(f"{value!r} has more than {before} digits before the point (precision {precision})")

    return check


def _number(value: Any) -> None:
    if not isinstance(value, int | float) or value is True or value is False:
        raise ValueError(f"{value!r} does not fit double")


def _float(value: Any) -> None:
    _number(value)
    if _FLOAT <= abs(value) < float("inf"):
        raise ValueError(f"{value!r} does not fit float")


def _boolean(value: Any) -> None:
    if value is not True and value is not False:
        raise ValueError(f"{value!r} does not fit boolean")


def _moment(value: Any) -> None:
    if not isinstance(value, int) and (not isinstance(value, datetime.datetime) or value.tzinfo is None):
        raise ValueError(
            f"{value!r} is no moment in time: give a datetime with a time zone, or declare the field as "
            "Annotated[datetime, msgspec.Meta(tz=False)] (local-timestamp)"
        )


def _local_moment(value: Any) -> None:
    if not isinstance(value, int) and (not isinstance(value, datetime.datetime) or value.tzinfo is not None):
        raise ValueError(f"{value!r} is no local time: give a datetime without a time zone")


def _time(value: Any) -> None:
    if not isinstance(value, int) and (not isinstance(value, datetime.time) or value.tzinfo is not None):
        raise ValueError(f"{value!r} is no time of day: give a time without a time zone")


_SCALARS: dict[str, Check] = {
    "int": _whole("int", _INT),
    "long": _whole("long", _LONG),
    "float": _float,
    "double": _number,
    "boolean": _boolean,
}
_LOGICAL: dict[str, Check] = {
    "timestamp-millis": _moment,
    "timestamp-micros": _moment,
    "local-timestamp-millis": _local_moment,
    "local-timestamp-micros": _local_moment,
    "time-millis": _time,
    "time-micros": _time,
}
