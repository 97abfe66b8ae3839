"""Joins of two tables by a foreign key, through a registration and a response topic (rules J27-J38, N16)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millstream.dsl.aggregation import Materialized
from millstream.dsl.handle import Handle, check_lookup, value_serde
from millstream.dsl.rows import looked_up, send_old
from millstream.errors import TopologyError
from millstream.plan.foreign_key import Answer, AnswerAll, AnswerSink, Register, Resolve, Subscribe
from millstream.plan.function import UserFunction, user_function
from millstream.plan.nodes import RepartitionTopic, Sink, Source, StoreSpec, TableSource
from millstream.plan.site import CallSite, call_site
from millstream.serde import BYTES
from millstream.serde.subscription import ReplySerde, RequestSerde

PREFIX = "KTABLE-FK-JOIN-SUBSCRIPTION"


def foreign_key_joined(
    left: Handle,
    right: Handle,
    functions: tuple[Callable[..., Any], Callable[..., Any]],
    result: Any,
    how: Materialized,
    *,
    keeps_left: bool,
) -> Handle:
    """`functions` are the foreign key of a left row, and the joiner. `keeps_left`: rows without a right one stay."""
    site = call_site("left_join" if keeps_left else "join")
    if left.builder is not right.builder:
        raise TopologyError(f"{site}: the tables belong to different apps")
    foreign_key, joiner = functions
    send_old(left, needed=True)
    send_old(right, needed=True)
    fn = user_function(foreign_key, site)
    check_lookup(foreign_key, right.key, site)
    responses, topics = _subscribed(left, right, fn, (keeps_left, how.name), site)
    builder = left.builder
    resolver = builder.name(
        f"{PREFIX}-RESPONSE-RESOLVER-PROCESSOR", how.name and f"{how.name}-subscription-response-resolver"
    )
    resolved = responses.after(
        Resolve(
            name=resolver,
            parents=(responses.node,),
            site=site,
            **topics,
            table=left.node,
            looked_up=looked_up(left),
            joiner=user_function(joiner, site, values=2),
            left=keeps_left,
            value=left.value,
            other=right.value,
        ),
        value=value_serde(result, joiner),
    )
    return _output(resolved, how, site)


def _subscribed(
    left: Handle, right: Handle, foreign_key: UserFunction, how: tuple[bool, str | None], site: CallSite
) -> tuple[Handle, dict[str, str]]:
    """The place behind the response topic, and the names of both topics."""
    (keeps_left, name), builder = how, left.builder
    registered = builder.name(f"{PREFIX}-REGISTRATION", name and f"{name}-subscription-registration")
    wishes = RepartitionTopic(f"{registered}-topic")
    names = [
        builder.name(prefix, name and f"{name}{suffix}")
        for prefix, suffix in (
            (f"{PREFIX}-REGISTRATION", "-subscription-registration-processor"),
            ("KTABLE-SINK", "-subscription-registration-sink"),
            ("KTABLE-SOURCE", "-subscription-registration-source"),
            (f"{PREFIX}-STATE-STORE", "-subscription-store"),
            (f"{PREFIX}-PROCESSOR", "-subscription-receive"),
            (f"{PREFIX}-PROCESSOR", "-subscription-join-foreign"),
            (f"{PREFIX}-PROCESSOR", "-foreign-join-subscription"),
        )
    ]
    registration, sink, source, store, receive, join_foreign, join_subscription = names
    responded = builder.name(f"{PREFIX}-RESPONSE", name and f"{name}-subscription-response")
    answers = RepartitionTopic(f"{responded}-topic")
    back, source_back = (
        builder.name(f"KTABLE-{kind}", name and f"{name}-subscription-response-{kind.lower()}")
        for kind in ("SINK", "SOURCE")
    )
    for topic in (wishes, answers):
        builder.add_repartition_topic(topic, site)
    requests, replies = RequestSerde(), ReplySerde()
    topics = {"requests": wishes.name, "answers": answers.name}
    builder.add(
        Register(
            name=registration,
            parents=(left.node,),
            site=site,
            **topics,
            foreign_key=foreign_key,
            left=keeps_left,
            key=left.key,
            value=left.value,
        )
    )
    to_right: dict[str, Any] = {"site": site, "key": right.key, "value": requests, "internal": True}
    builder.add(Sink(name=sink, parents=(registration,), topic=wishes.name, **to_right))
    builder.add(Source(name=source, parents=(), topics=(wishes.name,), **to_right))
    builder.add_store(StoreSpec(store, "subscriptions", right.key, requests), site)
    builder.add(
        Subscribe(
            name=receive,
            parents=(source,),
            site=site,
            requests=wishes.name,
            subscriptions=store,
            foreign_key=right.key,
        )
    )
    builder.add(
        Answer(
            name=join_foreign,
            parents=(receive,),
            site=site,
            answers=answers.name,
            table=right.node,
            looked_up=looked_up(right),
            value=right.value,
        )
    )
    builder.add(
        AnswerAll(
            name=join_subscription,
            parents=(right.node,),
            site=site,
            **topics,
            subscriptions=store,
            foreign_key=right.key,
            value=right.value,
        )
    )
    builder.add(
        AnswerSink(
            name=back,
            parents=(join_foreign, join_subscription),
            site=site,
            topic=answers.name,
            key=BYTES,
            value=replies,
            internal=True,
        )
    )
    builder.add(
        Source(
            name=source_back, parents=(), site=site, topics=(answers.name,), key=left.key, value=replies, internal=True
        )
    )
    return left.at(source_back), topics


def _output(resolved: Handle, how: Materialized, site: CallSite) -> Handle:
    """The result is a table fed by the resolver; it gets a store when one is named or needed (rule K2)."""
    builder = resolved.builder
    node = builder.name("KTABLE-FK-JOIN-OUTPUT", how.name and f"{how.name}-result")
    spec = how.spec(how.store or builder.name("KTABLE-FK-JOIN-OUTPUT-STATE-STORE"), resolved.key, resolved.value, site)
    builder.reserved[node] = spec
    stored = how.store is not None or how.history is not None
    if stored:
        builder.add_store(spec, site)
    added = TableSource(
        name=node,
        parents=(resolved.node,),
        site=site,
        store=spec.name if stored else None,
        emit=how.emission(builder, site),
    )
    return resolved.after(added)
