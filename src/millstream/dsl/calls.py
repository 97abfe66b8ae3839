"""The calls of asynchronous operators, as a program declares them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from millstream.dsl.handle import Handle, value_serde
from millstream.duration import Duration, parse_duration_ms
from millstream.errors import ConfigError, TopologyError
from millstream.plan.calls import Calls
from millstream.plan.function import user_function
from millstream.plan.nodes import MapValuesAsync
from millstream.plan.site import CallSite, call_site


def async_calls(
    *,
    concurrency: int = 100,
    timeout: Duration | None = "30s",
    retries: int = 0,
    backoff: Duration = "100ms",
) -> Calls:
    """How an asynchronous processor makes its calls.

    At most `concurrency` calls of a task are under way, or done and waiting for an earlier one. An attempt that takes
    longer than `timeout` has failed; None sets no limit. A failed call is made again up to `retries` times, after
    `backoff`, then after twice that, and so on, up to a minute.

    >>> async_calls(concurrency=20, timeout="5s", retries=2).timeout_ms
    5000
    """
    return checked_calls((concurrency, timeout, retries, backoff), call_site("async_calls"))


def checked_calls(given: tuple[int, Duration | None, int, Duration], site: CallSite) -> Calls:
    concurrency, timeout, retries, backoff = given
    try:
        timeout_ms = None if timeout is None else parse_duration_ms(timeout)
        backoff_ms = parse_duration_ms(backoff)
    except ConfigError as error:
        raise TopologyError(f"{site}: {error}") from error
    if concurrency < 1:
        raise TopologyError(f"{site}: concurrency must be 1 or more, got {concurrency}")
    if timeout_ms is not None and timeout_ms <= 0:
        raise TopologyError(f"{site}: timeout must be more than 0, or None for no limit, got {timeout!r}")
    if retries < 0 or backoff_ms < 0:
        raise TopologyError(f"{site}: retries and backoff must not be negative, got {retries} and {backoff!r}")
    return Calls(concurrency, timeout_ms, retries, backoff_ms)


def mapped_values_async(
    handle: Handle, mapper: Callable[..., Awaitable[Any]], calls: Calls, value: Any, name: str | None
) -> Handle:
    site = call_site("map_values_async")
    fn = user_function(mapper, site, manner="async")
    node = handle.builder.name("KSTREAM-MAPVALUES-ASYNC", name)
    added = MapValuesAsync(name=node, parents=(handle.node,), site=site, mapper=fn, calls=calls)
    return handle.after(added, value=value_serde(value, mapper))
