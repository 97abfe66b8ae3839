"""The user's functions as the plan holds them: what to call, with the value alone or with key and value."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from millstream.errors import TopologyError
from millstream.plan.site import CallSite

UNKNOWN: Any = object()


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


def positional_parameters(fn: Callable[..., Any]) -> int | None:
    """How many arguments must be given by position; None where Python cannot tell (some built-ins)."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return None
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in by_position and p.default is p.empty for p in parameters)


def user_function(fn: Any, site: CallSite, *, values: int = 1) -> UserFunction:
    """Check that fn takes `values` arguments, or one more for the key."""
    if not callable(fn):
        raise TopologyError(f"{site}: expected a function, got {fn!r}")
    label = getattr(fn, "__qualname__", None) or repr(fn)
    count = positional_parameters(fn)
    if count is not None and count not in (values, values + 1):
        takes = "the value or (key, value)" if values == 1 else f"{values} arguments, or the key and {values} more"
        raise TopologyError(f"{site}: {label} takes {count} arguments, but it is called with {takes}")
    return UserFunction(fn, count == values + 1, label)


def declared_result(fn: Any) -> Any:
    """The type that a function says it returns, or UNKNOWN."""
    if isinstance(fn, type):
        return fn
    try:
        return typing.get_type_hints(fn).get("return", UNKNOWN)
    except (NameError, TypeError, AttributeError):
        return UNKNOWN
