"""Processors in a program: what makes them, the stores they see, and the place behind them (rules P2, P7, O3)."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from millstream.dsl.builder import Builder
from millstream.dsl.handle import Handle, given_serde, value_serde
from millstream.errors import TopologyError
from millstream.plan.calls import Calls
from millstream.plan.function import user_function
from millstream.plan.nodes import Process, StoreSpec
from millstream.plan.site import CallSite, call_site

Stores = Sequence[StoreSpec | str]


def processed(
    handle: Handle,
    supplier: Any,
    stores: Stores,
    serdes: tuple[Any, Any],
    name: str | None,
    *,
    calls: Calls | None = None,
    fixed_key: bool = False,
) -> Handle:
    site = call_site("process_values" if fixed_key else "process")
    check_supplier(supplier, site, "process")
    names = connected(handle.builder, supplier, stores, site)
    check_calls(supplier, names, calls, site)
    kind = "PROCESSVALUES" if fixed_key else "PROCESSOR"
    node = handle.builder.name(f"KSTREAM-{kind}") if name is None else name  # a name burns no index here
    key, value = serdes
    return handle.after(
        Process(
            name=node,
            parents=(handle.node,),
            site=site,
            supplier=supplier,
            stores=names,
            fixed_key=fixed_key,
            calls=calls,
        ),
        key=handle.key if key is None else given_serde(key, key=True),
        value=value_serde(value, None),
        key_changed=handle.key_changed if fixed_key else True,
    )


def check_calls(supplier: Any, stores: tuple[str, ...], calls: Calls | None, site: CallSite) -> None:
    """What is told by a class or a generator is refused here; of what a function makes it is told when it is made."""
    method = getattr(supplier, "process", None) if isinstance(supplier, type) else None
    known = method is not None or inspect.isgeneratorfunction(supplier) or inspect.isasyncgenfunction(supplier)
    is_async = any(inspect.isasyncgenfunction(fn) for fn in (supplier, method)) or inspect.iscoroutinefunction(method)
    if calls is not None and not isinstance(calls, Calls):
        raise TopologyError(f"{site}: calls= takes ms.async_calls(...), got {calls!r}")
    if calls is not None and known and not is_async:
        raise TopologyError(f"{site}: calls= is for asynchronous processors, and {supplier.__name__} is none")
    if stores and is_async:
        raise TopologyError(
            f"{site}: an asynchronous processor has no stores, because its calls are under way at the same time; look "
            "rows up in a join or a processor before it"
        )


def check_supplier(supplier: Any, site: CallSite, method: str) -> None:
    """A supplier is a class that has the method, a function that makes one, or a generator function of a record."""
    if not callable(supplier):
        raise TopologyError(f"{site}: expected a processor class or a function that makes one, got {supplier!r}")
    if inspect.iscoroutinefunction(supplier):
        raise TopologyError(f"{site}: {supplier.__qualname__} is async and has to yield what is passed on")
    generates = inspect.isgeneratorfunction(supplier) or inspect.isasyncgenfunction(supplier)
    user_function(supplier, site, values=int(generates), key=False, manner="any")
    if isinstance(supplier, type) and not callable(getattr(supplier, method, None)):
        takes = "record" if method == "process" else "key, value"
        raise TopologyError(f"{site}: {supplier.__name__} has no {method}({takes}) method")


def connected(builder: Builder, supplier: Any, stores: Stores, site: CallSite) -> tuple[str, ...]:
    """The names of the stores that a processor sees: those given by name or declaration, and those that its supplier
    brings along as `stores`. Declared ones are added to the program.
    """
    brought = getattr(supplier, "stores", ())
    if isinstance(stores, str | StoreSpec) or not isinstance(brought, Sequence) or isinstance(brought, str):
        raise TopologyError(f"{site}: stores are given as a list of declarations or names")
    names: dict[str, None] = {}
    for store in (*stores, *brought):
        if isinstance(store, StoreSpec):
            builder.add_store(store, site, shared=True)
            names[store.name] = None
        else:
            names[_known(builder, store, site)] = None
    return tuple(names)


def _known(builder: Builder, name: Any, site: CallSite) -> str:
    if not isinstance(name, str):
        raise TopologyError(f"{site}: expected a store's declaration or its name, got {name!r}")
    if builder.has_global_table(name):
        raise TopologyError(f"{site}: {name!r} is of a global table, which every processor sees; leave it out")
    if not builder.has_store(name):
        raise TopologyError(
            f"{site}: there is no store named {name!r} so far; declare it with ms.key_value_store or its like, or give "
            "the table that it is of this store= before"
        )
    return name
