"""Optimisations of a plan. Each is a function from draft to draft; they are applied in the order of `REWRITES`.

Their names are the values of Kafka Streams' `topology.optimization`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from millstream.errors import ConfigError
from millstream.plan.rewrites.draft import Draft
from millstream.plan.rewrites.null_keys import let_null_keys_pass
from millstream.plan.rewrites.repartitions import merge_repartition_topics
from millstream.plan.rewrites.self_joins import join_with_itself_in_one_store
from millstream.plan.rewrites.source_topics import reuse_source_topics

REWRITES: tuple[tuple[str, Callable[[Draft], Draft]], ...] = (
    ("reuse.ktable.source.topics", reuse_source_topics),
    ("merge.repartition.topics", merge_repartition_topics),
    ("single.store.self.join", join_with_itself_in_one_store),
)
ALL = frozenset(name for name, _ in REWRITES)


def rewritten(draft: Draft, chosen: Iterable[str]) -> Draft:
    """The draft after the rewrites that were chosen, and after what is done in any case."""
    names = frozenset(chosen)
    for name, rewrite in REWRITES:
        if name in names:
            draft = rewrite(draft)
    return let_null_keys_pass(draft)


def rewrites_named(given: object) -> frozenset[str]:
    """The rewrites that `optimize=` names: "none", "all", or any of their names, in a list or with commas between.

    >>> sorted(rewrites_named("merge.repartition.topics, single.store.self.join"))
    ['merge.repartition.topics', 'single.store.self.join']
    >>> rewrites_named("all") == ALL, rewrites_named("none")
    (True, frozenset())
    >>> rewrites_named("most")
    Traceback (most recent call last):
    millstream.errors.ConfigError: optimize='most': give "all", "none", or some of reuse.ktable.source.topics, \
merge.repartition.topics, single.store.self.join
    """
    match given:
        case None | False | "none":
            return frozenset()
        case True | "all":
            return ALL
        case str(text):
            names = frozenset(name.strip() for name in text.split(","))
        case list() | tuple() | set() | frozenset():
            names = frozenset(map(str, given))
        case _:
            names = frozenset(("",))
    if not names <= ALL:
        raise ConfigError(
            f'optimize={given!r}: give "all", "none", or some of {", ".join(name for name, _ in REWRITES)}'
        )
    return names
