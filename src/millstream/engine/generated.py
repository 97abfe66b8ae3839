"""Functions written for one set of declared aggregates: everything in one pass, without a loop over them.

Aggregates lie as one flat tuple of slots. For `count()` and `sum("n")` of a record type what takes a record in is

    def put(_key, value, slots=begin):
        s0, s1 = slots
        s0 += 1
        if value is not None:
            v0 = value.n
            if v0 is not None:
                s1 += v0
        return s0, s1

A loop over a list of steps, which did the same, took three times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any, Protocol

from millstream.engine.accumulators import FUNCTIONS, Accumulator
from millstream.plan.aggregation import Column, Declared, Kind

Slots = tuple[Any, ...]


class Put(Protocol):
    """Takes a record in, by itself into the aggregate of nothing."""

    def __call__(self, key: Any, value: Any, slots: Slots = ..., /) -> Slots: ...


@dataclass(frozen=True, slots=True)
class DeclaredFunctions:
    """`begin` is the aggregate of nothing; `put` and `take` are called with (key, value, slots), `merge` with (key,
    slots, other slots). `timed`: values are pairs of the value and its record's timestamp.
    """

    begin: Slots
    put: Put
    merge: Callable[[Any, Slots, Slots], Slots]
    result: Callable[[Slots], Any]
    take: Callable[[Any, Any, Slots], Slots] | None
    timed: bool


def declared_functions(plan: Declared, accumulators: Mapping[Kind, Accumulator]) -> DeclaredFunctions:
    """The functions of a plan, of aggregates as they are defined for its kind of table."""
    columns = _placed(plan.columns, accumulators)
    timed = any(column.accumulator.timed for column in columns)
    takes = all(column.accumulator.subtract is not None for column in columns)
    lines = [*_put("put", columns, plan, timed=timed), *_merge(columns), *_result(columns, plan)]
    if takes:
        lines += _put("take", columns, plan, timed=timed)
    begin = tuple(slot for column in columns for slot in column.accumulator.begin)
    names: dict[str, Any] = {**FUNCTIONS, "make": plan.result, "begin": begin}
    for column in columns:
        names[column.setting] = column.plan.setting
        if column.plan.field is not None and not isinstance(column.plan.field, str):
            names[column.reader] = column.plan.field.call
    exec(compile("\n".join(lines), "<declared aggregates>", "exec"), names)  # text that is made here alone
    return DeclaredFunctions(begin, names["put"], names["merge"], names["result"], names.get("take"), timed)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A column with the place of its first slot among all, and the names that its text refers to."""

    plan: Column
    accumulator: Accumulator
    first: int
    number: int

    @property
    def setting(self) -> str:
        return f"setting{self.number}"

    @property
    def reader(self) -> str:
        return f"read{self.number}"

    def text(self, template: str, value: str = "") -> str:
        places = range(self.first, self.first + len(self.accumulator.begin))
        others = {f"o{number}": f"o{place}" for number, place in enumerate(places)}
        return template.format(*(f"s{place}" for place in places), v=value, t="time", s=self.setting, **others)


def _placed(columns: Sequence[Column], accumulators: Mapping[Kind, Accumulator]) -> list[_Placed]:
    placed: list[_Placed] = []
    first = 0
    for number, column in enumerate(columns):
        accumulator = accumulators[column.kind]
        placed.append(_Placed(column, accumulator, first, number))
        first += len(accumulator.begin)
    return placed


def _slots(columns: Sequence[_Placed], letter: str = "s") -> str:
    width = sum(len(column.accumulator.begin) for column in columns)
    return "".join(f"{letter}{place}, " for place in range(width))


def _put(name: str, columns: Sequence[_Placed], plan: Declared, *, timed: bool) -> Iterator[str]:
    """Of `put` and `take`: every record counts, of the others those that have a value."""

    def change(column: _Placed) -> str:
        accumulator = column.accumulator
        return accumulator.add if name == "put" else accumulator.subtract or ""

    yield f"def {name}(_key, value, slots=begin):"
    yield f"    {_slots(columns)}= slots"
    for column in columns:
        if column.plan.field is None:
            yield f"    {column.text(change(column))}"
    reading = [column for column in columns if column.plan.field is not None]
    if reading:
        yield "    if value is not None:"
        if timed:
            yield "        value, time = value"
        for column in reading:
            yield f"        v = {_read(column, by_item=plan.by_item)}"
            yield "        if v is not None:"
            yield f"            {column.text(change(column), 'v')}"
    yield f"    return {_slots(columns)}"


def _read(column: _Placed, *, by_item: bool) -> str:
    field = column.plan.field
    if not isinstance(field, str):
        return f"{column.reader}(value)"
    if by_item:
        return f"value[{field!r}]"
    return f"value.{field}" if field.isidentifier() and not iskeyword(field) else f"getattr(value, {field!r})"


def _merge(columns: Sequence[_Placed]) -> Iterator[str]:
    yield "def merge(_key, slots, others):"
    yield f"    {_slots(columns)}= slots"
    yield f"    {_slots(columns, 'o')}= others"
    for column in columns:
        yield f"    {column.text(column.accumulator.merge)}"
    yield f"    return {_slots(columns)}"


def _result(columns: Sequence[_Placed], plan: Declared) -> Iterator[str]:
    """By position where the result type takes its fields so, which is several times faster."""
    names = [column.plan.name for column in columns]
    positional = _takes_in_order(plan.result, names)
    yield "def result(slots):"
    yield f"    {_slots(columns)}= slots"
    values = [column.text(column.accumulator.result) for column in columns]
    named = ", ".join(f"{name!r}: {value}" for name, value in zip(names, values, strict=True))
    yield f"    return make({', '.join(values)})" if positional else f"    return make(**{{{named}}})"


def _takes_in_order(make: Callable[..., Any], names: Sequence[str]) -> bool:
    """Whether the result type can be called with these fields by position."""
    try:
        probe = make(*range(len(names)))
    except (TypeError, ValueError):
        return False
    return all(getattr(probe, name, None) == place for place, name in enumerate(names))
