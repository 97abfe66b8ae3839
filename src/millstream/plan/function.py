"""The user's functions as the plan holds them: what to call, with the value alone or with key and value."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

from millstream.errors import TopologyError
from millstream.plan.site import CallSite

UNKNOWN: Any = object()
MANY = 255
Manner: TypeAlias = Literal["plain", "generator", "async", "any"]
_ARGUMENTS = {0: "none", 1: "the value", 2: "two values", 3: "three values"}


@dataclass(frozen=True, slots=True)
class UserFunction:
    """A function of the user's. `with_key` tells whether it declared a parameter for the key in front."""

    call: Callable[..., Any]
    with_key: bool
    label: str

    @property
    def by_key_and_value(self) -> Callable[[Any, Any], Any]:
        """The function as one of (key, value), whichever way it was declared."""
        call = self.call
        return call if self.with_key else lambda _key, value: call(value)


def positional_parameters(fn: Callable[..., Any]) -> tuple[int, int] | None:
    """How many arguments must, and how many may, be given by position; None where Python cannot tell.

    >>> positional_parameters(lambda value, scale=2: value)
    (1, 2)
    """
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return None
    by_position = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    most = MANY if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(by_position)
    return sum(p.default is p.empty for p in by_position), most


def user_function(
    fn: Any, site: CallSite, *, values: int = 1, key: bool = True, manner: Manner = "plain"
) -> UserFunction:
    """Check that fn takes `values` arguments, or, if it may see the key, one more in front.

    `manner`: whether what a call gives is the result, may be an iterator over results, or is awaited; "any": the caller
    sees to it.
    """
    if not callable(fn):
        raise TopologyError(f"{site}: expected a function, got {fn!r}")
    label = getattr(fn, "__qualname__", None) or repr(fn)
    _refuse_manner(fn, label, manner, site)
    least, most = positional_parameters(fn) or (values, values)
    with_key = key and least == values + 1
    if not with_key and not least <= values <= most:
        takes = _ARGUMENTS[values] + (" or with the key in front" if key else "")
        raise TopologyError(f"{site}: {label} takes {_count(least, most)} arguments, but it is called with {takes}")
    return UserFunction(fn, with_key, label)


def _refuse_manner(fn: Any, label: str, manner: Manner, site: CallSite) -> None:
    """A coroutine or a generator would be taken for the result itself."""
    if manner == "any":
        return
    called = fn if inspect.isroutine(fn) or isinstance(fn, type | partial) else type(fn).__call__
    if inspect.isasyncgenfunction(called) or (inspect.iscoroutinefunction(called) and manner != "async"):
        raise TopologyError(
            f"{site}: {label} is async, and nobody would await it; use map_values_async, or an asynchronous processor "
            "in process or process_values"
        )
    if inspect.isgeneratorfunction(called) and manner != "generator":
        raise TopologyError(
            f"{site}: {label} is a generator function, and the generator itself would be the result; use flat_map or "
            "flat_map_values for any number of results, or return one"
        )


def _count(least: int, most: int) -> str:
    return str(least) if least == most else f"at least {least}" if most == MANY else f"{least} to {most}"


def declared_result(fn: Any) -> Any:
    """The type that a function says it returns, or UNKNOWN."""
    if isinstance(fn, type):
        return fn
    try:
        return typing.get_type_hints(fn).get("return", UNKNOWN)
    except (NameError, TypeError, AttributeError):
        return UNKNOWN
