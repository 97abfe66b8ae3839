"""What a stream is grouped by: fields of its values, or a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from millstream.dsl.fields import composite_key, getter, require_fields
from millstream.dsl.handle import Handle, given_serde, key_serde
from millstream.errors import TopologyError
from millstream.plan.function import UserFunction, user_function
from millstream.plan.nodes import SelectKey
from millstream.plan.site import CallSite, call_site
from millstream.serde import Serde


@dataclass(slots=True, eq=False)
class GroupName:
    """The name that a group was given, if any. Its aggregations then share one repartition topic (rule O5)."""

    given: str | None
    used: bool = False


def grouped(handle: Handle, keys: tuple[str | Callable[..., Any], ...], key: Any, name: str | None) -> Handle:
    """The group's name is that of the node that selects the key, too (rule N8)."""
    site = call_site("group_by")
    fn, serde = _group_key(handle, keys, key, site)
    node = handle.builder.name("KSTREAM-KEY-SELECT", name)
    added = SelectKey(name=node, parents=(handle.node,), site=site, mapper=fn, of_fields=not callable(keys[0]))
    return handle.after(added, key=serde, key_changed=True)


def _group_key(handle: Handle, keys: tuple[Any, ...], key: Any, site: CallSite) -> tuple[UserFunction, Serde[Any]]:
    if len(keys) == 1 and callable(keys[0]):
        return user_function(keys[0], site), key_serde(key, keys[0])
    if not keys or not all(isinstance(field, str) for field in keys):
        raise TopologyError(f"{site}: give one or more field names, or one function")
    of = handle.value.type
    types = require_fields(of, keys, site)
    if len(keys) == 1:
        return UserFunction(getter(of, keys[0]), False, keys[0]), key_serde(key or types[keys[0]], None)
    key_type, key_of = composite_key(of, types, key, site)
    return UserFunction(key_of, False, ", ".join(keys)), given_serde(key_type, key=True)
