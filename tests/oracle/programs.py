"""Random cases in the format of the conformance cases: all operators, functions, windows, processors and options.

A case is made from a seed alone. It may be one that Kafka Streams refuses or stops at: that is an answer too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.oracle import choices
from tests.oracle.inputs import inputs_for

Case = dict[str, Any]
Step = dict[str, Any]

WINDOWED = "windowed(string)"


@dataclass(frozen=True, slots=True)
class Made:
    """What a step made: a stream, a table, a group and so on; windows are those of a windowed key or of a group."""

    let: str
    kind: str
    key: str
    value: str
    window: Step | None = None
    history_ms: int | None = None
    store: str | None = None


class Generator:
    """One case under construction; each `op_` adds the steps of one operator, or none if nothing is there for it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.steps: list[Step] = []
        self.made: list[Made] = []
        self.used: set[str] = set()
        self.count = 0
        self.wild = self.random.random() < 0.12  # parameters that may be refused

    # --- what there is

    def case(self) -> Case:
        self.source(self.random.choice(("stream", "table")))
        for _ in range(self.random.randint(0, 3)):
            self.source(self.random.choices(("stream", "table", "global_table"), (5, 4, 1))[0])
        for _ in range(self.random.choice((1, 1, 2, 2, 3, 4, 5, 6, 8, 12))):
            self.operator()
        self.sinks()
        return {
            "topology": self.steps,
            "config": self.config(),
            "inputs": inputs_for(self.random, self.steps, wild=self.wild),
        }

    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = {}
        if self.chance(0.1):
            config["emit_interval_ms"] = 1000
        if self.chance(0.1):
            config["optimization"] = "all"
        if self.chance(0.3):
            config["deserialization_handler"] = "continue"
        return config

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def pick(self, kind: str, *wanted: Callable[[Made], bool]) -> Made | None:
        """One of a kind; those that nothing follows yet are taken more often."""
        found = [made for made in self.made if made.kind == kind and all(test(made) for test in wanted)]
        if not found:
            return None
        fresh = [made for made in found if made.let not in self.used]
        chosen = self.random.choice(fresh if fresh and self.chance(0.6) else found)
        self.used.add(chosen.let)
        return chosen

    def step(self, kind: str, key: str, value: str, windows: Step | None, /, **fields: Any) -> Made:
        """Add a step; `kind` is that of its result."""
        self.count += 1
        let = f"{kind[0]}{self.count}"
        self.steps.append({"let": let, **fields, "type": [key, value]})
        made = Made(let, kind, key, value, windows, fields.get("history_ms"), fields.get("store"))
        self.made.append(made)
        return made

    def after(self, of: Made, kind: str, op: str, **fields: Any) -> Made:
        """A step of one input; the types stay unless `type` says otherwise."""
        key, value = fields.pop("type", (of.key, of.value))
        window = fields.pop("windows", of.window if key == WINDOWED else None)
        return self.step(kind, key, value, window, op=op, of=of.let, **fields, **self.named(op))

    def named(self, op: str) -> Step:
        if op in ("windowed_by", "emit_strategy", "cogroup") or not self.chance(0.08):
            return {}
        name = f"n{self.random.randrange(3)}" if self.wild and self.chance(0.2) else f"name{self.count}"
        return {"named": name}

    def kept(self, *, versioned: float = 0.15, needed: bool = True) -> Step:
        """Where a table's rows are kept; one that needs no store has one only if it is named."""
        fields: Step = {}
        if not needed and self.chance(0.5):
            return fields
        if not needed or self.chance(0.6):
            fields["store"] = "store" if self.wild and self.chance(0.2) else f"store{self.count}"
            if self.chance(versioned):
                return {**fields, "history_ms": self.random.choice((0, 5, 30, 100, 1000))}
            if self.chance(0.4):
                fields["store_type"] = "memory"
        return fields

    # --- sources and sinks

    def source(self, kind: str) -> None:
        key = self.random.choices(("string", "long"), (6, 1))[0]
        value = self.random.choice(("string", "long"))
        topic = f"{kind[0]}{len(self.steps) + 1}"
        fields: Step = {"op": kind, "topic": topic}
        if kind == "stream" and self.chance(0.08):
            fields["topics"] = [topic, f"{topic}b"]
        if kind != "global_table" and self.chance(0.12):
            fields["extractor"] = (
                "value_ms" if value == "long" else self.random.choice(("after_at", "after_at_or_partition_time"))
            )
        if kind == "table":
            fields |= self.kept(versioned=0.25)
        elif kind == "global_table" and self.chance(0.5):
            fields["store"] = f"store{self.count}"
        self.step(kind, key, value, None, **fields)

    def sinks(self) -> None:
        """Everything that nothing follows is written, each to its own topic."""
        for made in list(self.made):
            if made.let in self.used and self.chance(0.85):
                continue
            if made.kind == "table":
                made = self.after(made, "stream", "to_stream")  # noqa: PLW2901
            if made.kind == "stream":
                self.sink(made)

    def sink(self, of: Made) -> str:
        self.used.add(of.let)
        topic = f"out{sum(step['op'] == 'to' for step in self.steps) + 1}"
        routed = any("topic_by_key" in step for step in self.steps)  # the driver reads the topics of one such sink
        if of.key == "string" and not routed and self.chance(0.04):
            self.steps.append({"op": "to", "of": of.let, "topic_by_key": f"{topic}-"})
        else:
            self.steps.append({"op": "to", "of": of.let, "topic": topic, **self.named("to")})
        return topic

    def operator(self) -> None:
        for _ in range(20):
            name = self.random.choices(list(OPERATORS), list(OPERATORS.values()))[0]
            before = len(self.steps)
            getattr(self, f"op_{name}")()
            if len(self.steps) > before:
                return

    # --- stateless

    def op_filter(self) -> None:
        of = self.pick(self.random.choice(("stream", "table")))
        if of is not None:
            kept = self.kept(versioned=0.1, needed=False) if of.kind == "table" else {}
            op = self.random.choice(("filter", "filter_not"))
            self.after(of, of.kind, op, fn=choices.predicate(self.random, of.key, of.value), **kept)

    def op_map_values(self) -> None:
        of = self.pick(self.random.choice(("stream", "table")))
        if of is not None:
            kept = self.kept(versioned=0.1, needed=False) if of.kind == "table" else {}
            fn, value = choices.value_function(self.random, of.value)
            self.after(of, of.kind, "map_values", fn=fn, **kept, type=(of.key, value))

    def op_map(self) -> None:
        of = self.pick("stream")
        if of is not None:
            key_fn, key = choices.key_function(self.random, of.key, of.value)
            value_fn, value = choices.value_function(self.random, of.value)
            self.after(of, "stream", "map", key_fn=key_fn, value_fn=value_fn, type=(key, value))

    def op_select_key(self) -> None:
        of = self.pick("stream")
        if of is not None:
            fn, key = choices.key_function(self.random, of.key, of.value)
            self.after(of, "stream", "select_key", fn=fn, type=(key, of.value))

    def op_flat(self) -> None:
        of = self.pick("stream")
        if of is None:
            return
        op = self.random.choice(("flat_map", "flat_map_values"))
        fn, key, value = choices.flat_function(self.random, of.key, of.value, keys=op == "flat_map")
        self.after(of, "stream", op, fn=fn, type=(key, value))

    def op_merge(self) -> None:
        of = self.pick("stream")
        other = of and self.pick("stream", alike(of), lambda made: made.let != of.let)
        if of is not None and other is not None:
            self.after(of, "stream", "merge", **{"with": other.let})

    def op_split(self) -> None:
        of = self.pick("stream")
        if of is None:
            return
        count = self.random.randint(1, 3)
        branches: list[Step] = [{"fn": choices.predicate(self.random, of.key, of.value)} for _ in range(count)]
        if self.chance(0.6):
            branches.append({})
        for branch in branches:
            self.count += 1
            branch["let"] = f"b{self.count}"
            self.made.append(Made(branch["let"], "stream", of.key, of.value, of.window))
        self.steps.append({"op": "split", "of": of.let, "branches": branches, **self.named("split")})

    def op_peek(self) -> None:
        of = self.pick("stream")
        if of is not None:
            self.after(of, "stream", "peek")

    def op_repartition(self) -> None:
        of = self.pick("stream")
        if of is not None:
            self.after(of, "stream", "repartition")

    def op_through(self) -> None:
        """Written to a topic that the topology reads as well."""
        of = self.pick("stream", lambda made: made.key != WINDOWED)
        if of is None:
            return
        topic = self.sink(of)
        written = self.steps[-1]
        if "topic" in written:
            kind = self.random.choice(("stream", "table"))
            self.step(kind, of.key, of.value, None, op=kind, topic=topic)

    # --- aggregations

    def group(self) -> Made | None:
        of = self.pick("stream")
        if of is None:
            return None
        if self.chance(0.5):
            return self.after(of, "group", "group_by_key")
        key_fn, key = choices.key_function(self.random, of.key, of.value)
        return self.after(of, "group", "group_by", key_fn=key_fn, type=(key, of.value))

    def op_aggregate(self) -> None:
        group = self.pick("group", lambda made: made.window is None) if self.chance(0.1) else self.group()
        if group is None:
            return
        if group.key == "string" and self.chance(0.65):
            self.windowed_aggregate(self.windowed(group))
        else:
            self.aggregated(group, group.key, None)

    def windowed(self, group: Made) -> Made:
        window = choices.window(self.random, wild=self.wild)
        windowed = self.after(group, "windowed", "windowed_by", window=window, windows=window)
        closes = window["type"] != "unlimited" or self.wild
        if group.kind == "group" and closes and self.chance(0.3):
            on = self.random.choice(("window_close", "window_close", "window_update"))
            return self.after(windowed, "windowed", "emit_strategy", on=on, windows=window)
        return windowed

    def windowed_aggregate(self, windowed: Made) -> None:
        table = self.aggregated(windowed, WINDOWED, windowed.window)
        if self.chance(0.35):
            self.suppress(table)

    def aggregated(self, group: Made, key: str, window: Step | None, *, cogrouped: bool = False) -> Made:
        kept = self.kept(versioned=0 if window is not None else 0.15)
        if window is not None and kept and self.chance(0.3):
            kept["retention_ms"] = choices.retention(self.random, window, wild=self.wild)
        sessions = window is not None and window["type"] == "session"
        if cogrouped:
            fields = choices.cogroup_end(self.random, group.value, sessions=sessions)
            return self.after(group, "table", "aggregate", **fields, **kept, type=(key, group.value), windows=window)
        op = self.random.choice(("count", "reduce", "aggregate"))
        fields, value = choices.aggregation(self.random, op, group.value, sessions=sessions)
        return self.after(group, "table", op, **fields, **kept, type=(key, value), windows=window)

    def op_cogroup(self) -> None:
        first = self.group()
        if first is None:
            return
        groups = [first]
        for _ in range(self.random.randint(0, 2)):
            other = self.group()
            if other is not None and (other.key, other.window) == (first.key, first.window):
                groups.append(other)
        value = self.random.choice(("string", "long"))
        listed = [{"of": group.let, "fn": choices.aggregator(self.random, group.value, value)} for group in groups]
        cogrouped = self.step("cogroup", first.key, value, first.window, op="cogroup", groups=listed)
        if first.key == "string" and self.chance(0.6):
            windowed = self.windowed(cogrouped)
            table = self.aggregated(windowed, WINDOWED, windowed.window, cogrouped=True)
            if self.chance(0.3):
                self.suppress(table)
        else:
            self.aggregated(cogrouped, first.key, None, cogrouped=True)

    # --- tables

    def op_group_table(self) -> None:
        of = self.pick("table")
        if of is None:
            return
        key_fn, key = choices.key_function(self.random, of.key, of.value)
        value_fn, value = choices.value_function(self.random, of.value)
        group = self.after(of, "grouped", "group_by", key_fn=key_fn, value_fn=value_fn, type=(key, value))
        for _ in range(2 if self.chance(0.1) else 1):
            op = self.random.choice(("count", "reduce", "aggregate"))
            fields, made = choices.table_aggregation(self.random, op, value)
            self.after(group, "table", op, **fields, **self.kept(), type=(key, made))

    def op_suppress(self) -> None:
        of = self.pick("table")
        if of is not None:
            self.suppress(of)

    def suppress(self, of: Made) -> None:
        self.used.add(of.let)
        closes = of.window is not None and of.window["type"] != "unlimited"
        self.after(of, "table", "suppress", **choices.suppression(self.random, closes=closes, wild=self.wild))

    def op_to_stream(self) -> None:
        of = self.pick("table")
        if of is None:
            return
        if self.chance(0.4 if of.window is None else 0.7):
            fn, key = choices.key_function(self.random, of.key, of.value)
            self.after(of, "stream", "to_stream", fn=fn, type=(key, of.value))
        else:
            self.after(of, "stream", "to_stream")

    def op_to_table(self) -> None:
        of = self.pick("stream")
        if of is not None:
            self.after(of, "table", "to_table", **self.kept(versioned=0.2))

    # --- joins

    def op_join_tables(self) -> None:
        left = self.pick("table")
        right = left and self.pick("table", same_key(left))
        if left is None or right is None:
            return
        op = self.random.choice(("join", "left_join", "outer_join"))
        fn, value = choices.joiner(self.random, left.value, right.value, keyed=False)
        kept = self.kept(versioned=0.1, needed=False)
        self.after(left, "table", op, **{"with": right.let}, fn=fn, **kept, type=(left.key, value))

    def op_join_foreign(self) -> None:
        left = self.pick("table")
        if left is None:
            return
        fn, key = choices.key_function(self.random, left.key, left.value)
        right = self.pick("table", lambda made: made.key == key and made.window is None)
        if right is None:
            return
        joiner, value = choices.joiner(self.random, left.value, right.value, keyed=False)
        kept = self.kept(versioned=0.05, needed=False)
        op = self.random.choice(("join", "left_join"))
        fields = {"with": right.let, "foreign_key": fn, "fn": joiner, **kept}
        self.after(left, "table", op, **fields, type=(left.key, value))

    def op_join_table(self) -> None:
        stream = self.pick("stream")
        table = stream and self.pick("table", same_key(stream))
        if stream is None or table is None:
            return
        fn, value = choices.joiner(self.random, stream.value, table.value, keyed=True)
        fields: Step = {"with": table.let, "fn": fn}
        if (table.history_ms is not None and self.chance(0.7)) or (self.wild and self.chance(0.1)):
            fields["grace_ms"] = self.random.choice((0, 3, 10, 40))
        op = self.random.choice(("join", "left_join"))
        self.after(stream, "stream", op, **fields, type=(stream.key, value))

    def op_join_global(self) -> None:
        stream, table = self.pick("stream"), self.pick("global_table")
        if stream is None or table is None:
            return
        fn, key = choices.key_function(self.random, stream.key, stream.value)
        if key != table.key:
            return
        joiner, value = choices.joiner(self.random, stream.value, table.value, keyed=True)
        op = self.random.choice(("join", "left_join"))
        fields = {"with": table.let, "key_fn": fn, "fn": joiner}
        self.after(stream, "stream", op, **fields, type=(stream.key, value))

    def op_join_streams(self) -> None:
        left = self.pick("stream")
        right = left and self.pick("stream", same_key(left))
        if left is None or right is None:
            return
        fn, value = choices.joiner(self.random, left.value, right.value, keyed=True)
        fields: Step = {"with": right.let, "window": choices.join_window(self.random, wild=self.wild), "fn": fn}
        if self.chance(0.3):
            fields["store"] = f"store{self.count}"
        if self.chance(0.4):
            fields["store_type"] = "memory"
        op = self.random.choice(("join", "left_join", "outer_join"))
        self.after(left, "stream", op, **fields, type=(left.key, value))

    # --- processors

    def op_process(self) -> None:
        of = self.pick("stream")
        if of is None:
            return
        op = self.random.choice(("process", "process_values"))
        stores = [made.store for made in self.made if made.store and made.history_ms is None and made.key == of.key]
        spec, key, value = choices.processor(self.random, (of.key, of.value), stores, f"store{self.count}", op)
        made = self.after(of, "stream", op, processor=spec, type=(key, value))
        if spec["name"] == "route":
            self.routed(made, spec["children"])

    def routed(self, of: Made, children: list[str]) -> None:
        for child in children:
            fn, value = choices.value_function(self.random, of.value)
            self.step("stream", of.key, value, of.window, op="map_values", of=of.let, fn=fn, named=child)
        self.used.add(of.let)


OPERATORS = {
    "filter": 3,
    "map_values": 3,
    "map": 1,
    "select_key": 2,
    "flat": 1,
    "merge": 1,
    "split": 1,
    "peek": 0.3,
    "repartition": 1,
    "through": 0.7,
    "aggregate": 6,
    "cogroup": 1.5,
    "group_table": 3,
    "suppress": 1,
    "to_stream": 3,
    "to_table": 1.5,
    "join_tables": 3,
    "join_foreign": 2,
    "join_table": 2.5,
    "join_global": 1.5,
    "join_streams": 3,
    "process": 2,
}


def alike(other: Made) -> Callable[[Made], bool]:
    return lambda made: (made.key, made.value, made.window) == (other.key, other.value, other.window)


def same_key(other: Made) -> Callable[[Made], bool]:
    return lambda made: (made.key, made.window) == (other.key, other.window)


def case(seed: int) -> Case:
    """The case of a seed."""
    made = Generator(seed).case()
    return {"name": f"seed-{seed}", **made}
