"""Splitting a stream: the node that chooses, and a branch after another (rules O2, N17)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from millstream.dsl.handle import Handle
from millstream.errors import TopologyError
from millstream.plan.branches import Branch, Split
from millstream.plan.function import user_function
from millstream.plan.site import CallSite, call_site


class Splitting:
    """A split under construction. Branches are numbered from 1, the default one is 0; a given name takes the number's
    place.
    """

    def __init__(self, handle: Handle, name: str | None) -> None:
        self._handle = handle
        self._prefix = name or ""
        self._site = call_site("split")
        self._node = handle.builder.name("KSTREAM-BRANCH", name)
        self._done = False
        handle.builder.add(Split(name=self._node, parents=(handle.node,), site=self._site))
        self._labels: set[str] = set()
        self.branches: dict[str, Handle] = {}

    def branch(self, predicate: Callable[..., object], name: str | None) -> str:
        """A branch; its label among them."""
        site = call_site("branch")
        self._refuse_more(site)
        fn = user_function(predicate, site)
        label, node = self._add(str(len(self._split.choices) + 1), name, site)
        self._handle.builder.replace(replace(self._split, choices=(*self._split.choices, (node, fn))))
        return label

    def default(self, name: str | None) -> str:
        site = call_site("default_branch")
        self._refuse_more(site)
        label, node = self._add("0", name, site)
        self._handle.builder.replace(replace(self._split, default=node))
        self._done = True
        return label

    def no_default(self) -> None:
        self._refuse_more(call_site("no_default"))
        self._done = True

    @property
    def _split(self) -> Split:
        found = self._handle.builder.node(self._node)
        assert isinstance(found, Split)
        return found

    def _add(self, number: str, name: str | None, site: CallSite) -> tuple[str, str]:
        label = self._prefix + (name or number)
        if label in self._labels:
            raise TopologyError(f"{site}: there is already a branch named {label!r}; give another name=")
        self._handle.builder.name("KSTREAM-BRANCH")  # a branch burns an index, though its name doesn't show it
        added = Branch(name=self._node + (name or number), parents=(self._node,), site=site)
        self._labels.add(label)
        self.branches[label] = self._handle.after(added)
        return label, added.name

    def _refuse_more(self, site: CallSite) -> None:
        if self._done:
            raise TopologyError(f"{site}: the split is complete; put branches before default_branch() or no_default()")


def branched(handle: Handle, predicates: tuple[Any, ...]) -> list[Handle]:
    """A branch for each predicate, and one for the rest."""
    if not predicates:
        raise TopologyError(f"{call_site('branches')}: give one predicate or more")
    splitting = Splitting(handle, None)
    for predicate in predicates:
        splitting.branch(predicate, None)
    splitting.default(None)
    return list(splitting.branches.values())
