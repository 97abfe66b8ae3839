"""From a case's steps to a program in the DSL."""

from __future__ import annotations

from typing import Any

import millstream as ms
from millstream.dsl.program import Program
from tests.conformance import functions, processors
from tests.conformance.functions import Spec

TYPES: dict[str, Any] = {"string": str, "long": int}


class UnsupportedStepError(Exception):
    """A step that the DSL does not have yet."""


class Steps:
    """Builds a program step by step; `run` dispatches on the step's `op`."""

    def __init__(self, optimize: str = "none") -> None:
        self.program = Program(emit="every", optimize=optimize)
        self.made: dict[str, Any] = {}
        self.windows: dict[str, tuple[Any, Any, Any]] = {}  # group, windows, and when they are emitted

    def add(self, step: Spec) -> None:
        method = getattr(self, f"op_{step['op']}", None)
        if method is None:
            raise UnsupportedStepError(step["op"])
        made = method(step)
        if "let" in step:
            self.made[step["let"]] = made

    def of(self, step: Spec) -> Any:
        return self.made[step["of"]]

    # --- sources and sinks

    def op_stream(self, step: Spec) -> Any:
        key, value = step["type"]
        topics = step.get("topics") or [step["topic"]]
        return self.program.stream(*topics, key=TYPES[key], value=TYPES[value], time=extractor(step), **named(step))

    def op_table(self, step: Spec) -> Any:
        key, value = step["type"]
        kept = self.kept(step, "topic", "extractor")
        types = {"key": TYPES[key], "value": TYPES[value]}
        return self.program.table(step["topic"], **types, time=extractor(step), **kept, **named(step))

    def op_global_table(self, step: Spec) -> Any:
        only(step, "topic", "store", "store_type")
        key, value = step["type"]
        return self.program.global_table(step["topic"], key=TYPES[key], value=TYPES[value], store=step.get("store"))

    def op_to(self, step: Spec) -> None:
        if "topic_by_key" in step:
            self.stream(step).to(functions.TopicByKey(step["topic_by_key"]), **named(step))
            return
        self.stream(step).to(step["topic"], **named(step))

    def op_repartition(self, step: Spec) -> Any:
        return self.stream(step).repartition(**named(step))

    # --- stateless

    def op_filter(self, step: Spec) -> Any:
        return self.of(step).filter(functions.predicate(step["fn"]), **self.kept(step, "fn"), **named(step))

    def op_filter_not(self, step: Spec) -> Any:
        return self.of(step).filter_not(functions.predicate(step["fn"]), **self.kept(step, "fn"), **named(step))

    def op_map_values(self, step: Spec) -> Any:
        fn = functions.value_function(step["fn"])
        return self.of(step).map_values(fn, value=TYPES[step["type"][1]], **self.kept(step, "fn"), **named(step))

    def op_map(self, step: Spec) -> Any:
        key, value = functions.key_function(step["key_fn"]), functions.value_function(step["value_fn"])
        return self.stream(step).map(lambda k, v: (key(k, v), value(k, v)), **self.types(step), **named(step))

    def op_select_key(self, step: Spec) -> Any:
        fn = functions.key_function(step["fn"])
        return self.stream(step).select_key(fn, key=self.types(step)["key"], **named(step))

    def op_flat_map(self, step: Spec) -> Any:
        return self.stream(step).flat_map(functions.flat_function(step["fn"]), **self.types(step), **named(step))

    def op_flat_map_values(self, step: Spec) -> Any:
        fn = functions.flat_function(step["fn"])
        return self.stream(step).flat_map_values(
            lambda k, v: [value for _, value in fn(k, v)], value=TYPES[step["type"][1]], **named(step)
        )

    def op_merge(self, step: Spec) -> Any:
        return self.stream(step).merge(self.made[step["with"]], **named(step))

    def op_split(self, step: Spec) -> None:
        splitting = self.stream(step).split(**named(step))
        names = [branch["let"] for branch in step["branches"]]
        default = None
        for branch in step["branches"]:
            if "fn" in branch:
                splitting.branch(functions.predicate(branch["fn"]))
            else:
                default = branch["let"]
        made = splitting.no_default() if default is None else splitting.default_branch()
        order = [name for name in names if name != default] + ([] if default is None else [default])
        self.made |= dict(zip(order, made.values(), strict=True))

    def op_peek(self, step: Spec) -> Any:
        return self.stream(step).peek(lambda _value: None, **named(step))

    # --- groups

    def op_group_by_key(self, step: Spec) -> Any:
        return self.stream(step).group_by_key(**named(step))

    def op_to_table(self, step: Spec) -> Any:
        return self.stream(step).to_table(**self.kept(step), **named(step))

    def op_group_by(self, step: Spec) -> Any:
        if isinstance(self.of(step), ms.Table):
            key, value = functions.key_function(step["key_fn"]), functions.value_function(step["value_fn"])
            return self.of(step).group_by(lambda k, v: (key(k, v), value(k, v)), **self.types(step), **named(step))
        fn = functions.key_function(step["key_fn"])
        return self.stream(step).group_by(fn, key=self.types(step)["key"], **named(step))

    def op_windowed_by(self, step: Spec) -> Any:
        window = step["window"]
        self.windows[step["let"]] = (self.of(step), windows(window), "window_update")
        return self.of(step).windowed_by(windows(window))

    def op_emit_strategy(self, step: Spec) -> Any:
        group, window, _ = self.windows[step["of"]]
        self.windows[step["let"]] = (group, window, step["on"])
        return self.of(step).emit_strategy(step["on"])

    def grouped(self, step: Spec) -> Any:
        """The group that a step aggregates; a retention is the step's, and in the DSL the windows'."""
        if "retention_ms" not in step:
            return self.of(step)
        group, window, strategy = self.windows[step["of"]]
        windowed = group.windowed_by(window, retention=step["retention_ms"])
        return windowed if strategy == "window_update" else windowed.emit_strategy(strategy)

    def op_suppress(self, step: Spec) -> Any:
        only(step, "until", "limit_ms", "max_records", "max_bytes", "full")
        bounds = {name: step[name] for name in ("max_records", "max_bytes") if name in step}
        if step["until"] == "window_closes":
            return self.of(step).suppress(ms.until_window_closes(**bounds), **named(step))
        full = {"when_full": step["full"]} if "full" in step else {}
        return self.of(step).suppress(ms.until_time_limit(step["limit_ms"], **bounds, **full), **named(step))

    def op_count(self, step: Spec) -> Any:
        return self.grouped(step).count(**self.kept(step), **named(step))

    def op_reduce(self, step: Spec) -> Any:
        kept = self.kept(step, "fn", "subtractor")
        fn = functions.aggregator(step["fn"])
        if isinstance(self.of(step), ms.GroupedTable):
            take = functions.aggregator(step["subtractor"])
            return self.of(step).reduce(
                lambda agg, value: fn(None, value, agg),
                lambda agg, value: take(None, value, agg),
                **kept,
                **named(step),
            )
        return self.grouped(step).reduce(lambda agg, value: fn(None, value, agg), **kept, **named(step))

    def op_aggregate(self, step: Spec) -> Any:
        kept = self.kept(step, "fn", "init", "subtractor", "merger")
        if "fn" not in step:
            return self.cogroup_aggregated(step, kept)
        fn, init = functions.aggregator(step["fn"]), step["init"]
        if isinstance(self.of(step), ms.GroupedTable):
            take = functions.aggregator(step["subtractor"])
            return self.of(step).aggregate(lambda: init, fn, take, value=TYPES[step["type"][1]], **kept, **named(step))
        merge = functions.aggregator(step["merger"]) if "merger" in step else None
        merger = {} if merge is None else {"merger": lambda key, agg, following: merge(key, following, agg)}
        return self.grouped(step).aggregate(
            initializer=lambda: init,
            aggregator=lambda key, value, agg: fn(key, value, agg),
            **merger,
            value=TYPES[step["type"][1]],
            **kept,
            **named(step),
        )

    def op_cogroup(self, step: Spec) -> Any:
        (first, fn), *others = [(self.made[group["of"]], _three(group["fn"])) for group in step["groups"]]
        cogrouped = first.cogroup(fn)
        for group, other in others:
            cogrouped = cogrouped.cogroup(group, other)
        return cogrouped

    def cogroup_aggregated(self, step: Spec, kept: dict[str, Any]) -> Any:
        merge = functions.aggregator(step["merger"]) if "merger" in step else None
        merger = {} if merge is None else {"merger": lambda key, agg, following: merge(key, following, agg)}
        value = TYPES[step["type"][1]]
        return self.grouped(step).aggregate(lambda: step["init"], **merger, value=value, **kept, **named(step))

    def op_to_stream(self, step: Spec) -> Any:
        if "fn" in step:
            key = functions.key_function(step["fn"])
            return self.of(step).to_stream(key=key, key_type=self.types(step)["key"], **named(step))
        return self.of(step).to_stream(**named(step))

    # --- joins and processors

    def op_join(self, step: Spec) -> Any:
        return self.joined(step, "join")

    def op_left_join(self, step: Spec) -> Any:
        return self.joined(step, "left_join")

    def op_outer_join(self, step: Spec) -> Any:
        return self.joined(step, "outer_join")

    def joined(self, step: Spec, operator: str) -> Any:
        only(step, "with", "fn", "key_fn", "foreign_key", "grace_ms", "store", "store_type", "history_ms", "window")
        other = self.made[step["with"]]
        if "window" in step:
            return self.streams_joined(step, operator)
        if isinstance(self.of(step), ms.Table):
            join = getattr(self.of(step), operator)
            by = {"foreign_key": functions.key_function(step["foreign_key"])} if "foreign_key" in step else {}
            return join(
                other,
                functions.joiner(step["fn"]),
                result=TYPES[step["type"][1]],
                **by,
                **self.kept(step, "fn", "with", "foreign_key"),
                **named(step),
            )
        extra: dict[str, Any] = {"key": functions.key_function(step["key_fn"])} if "key_fn" in step else {}
        if "grace_ms" in step:
            extra["grace"] = step["grace_ms"]
        join = getattr(self.stream(step), operator)
        return join(other, functions.joiner(step["fn"]), result=TYPES[step["type"][1]], **extra, **named(step))

    def streams_joined(self, step: Spec, operator: str) -> Any:
        given = step["window"]
        difference = given.get("difference_ms")
        reach = {"before": given["before_ms"], "after": given["after_ms"]} if difference is None else {}
        return getattr(self.stream(step), operator)(
            self.made[step["with"]],
            functions.joiner(step["fn"]),
            window=ms.join_window(difference, **reach, grace=given.get("grace_ms", 0)),
            result=TYPES[step["type"][1]],
            store=step.get("store"),
            **named(step),
        )

    def op_process(self, step: Spec) -> Any:
        spec = step["processor"]
        stores: list[Any] = []
        if spec["name"] in processors.OWN_STORES:
            value = int if spec["name"] == "running_count" else self.stream(step).handle.value
            stores = [ms.key_value_store(spec["store"], key=self.stream(step).handle.key, value=value)]
        elif "store" in spec:
            stores = [spec["store"]]
        if step["op"] == "process_values":
            value = TYPES[step["type"][1]]
            return self.stream(step).process_values(
                processors.supplier(spec), stores=stores, value=value, **named(step)
            )
        return self.stream(step).process(processors.supplier(spec), stores=stores, **self.types(step), **named(step))

    op_process_values = op_process

    # ---

    def types(self, step: Spec) -> dict[str, Any]:
        """Windowed keys are those of the input: no function makes them."""
        key, value = step["type"]
        return {"key": TYPES.get(key) or self.of(step).handle.key, "value": TYPES[value]}

    def kept(self, step: Spec, *known: str) -> dict[str, Any]:
        """Where the result is kept; streams' steps know no store."""
        only(step, "store", "store_type", "history_ms", "retention_ms", *known)
        kept = {"history": step["history_ms"]} if "history_ms" in step else {}
        if "store" not in step:
            return kept
        memory = step.get("store_type") == "memory"
        return {**kept, "store": ms.in_memory(step["store"]) if memory else step["store"]}

    def stream(self, step: Spec) -> ms.Stream[Any, Any]:
        found = self.of(step)
        if not isinstance(found, ms.Stream):
            raise UnsupportedStepError(f"{step['op']} of a {type(found).__name__}")
        return found


def windows(spec: Spec) -> Any:
    grace = {"grace": spec.get("grace_ms", 0)}
    match spec["type"]:
        case "tumbling":
            return ms.tumbling(spec["size_ms"], **grace)
        case "hopping":
            return ms.hopping(spec["size_ms"], advance=spec["advance_ms"], **grace)
        case "sliding":
            return ms.sliding(spec["difference_ms"], **grace)
        case "session":
            return ms.session(spec["gap_ms"], **grace)
        case "unlimited":
            return ms.unlimited(start=spec.get("start_ms", 0))
        case other:
            raise UnsupportedStepError(f"window {other}")


def _three(fn: Spec) -> Any:
    aggregator = functions.aggregator(fn)
    return lambda key, value, agg: aggregator(key, value, agg)


def extractor(step: Spec) -> Any:
    return functions.extractor(step["extractor"]) if "extractor" in step else None


def named(step: Spec) -> dict[str, Any]:
    return {"name": step["named"]} if "named" in step else {}


def only(step: Spec, *known: str) -> None:
    """Refuse a step with a field that would be passed over in silence."""
    unknown = set(step) - {"op", "of", "let", "type", "named", *known}
    if unknown:
        raise UnsupportedStepError(f"{step['op']} with {', '.join(sorted(unknown))}")


def build(case: Spec) -> Program:
    steps = Steps(case.get("config", {}).get("optimization", "none"))
    for step in case["topology"]:
        steps.add(step)
    return steps.program
