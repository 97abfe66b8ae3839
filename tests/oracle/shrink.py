"""The smallest case that still differs: inputs, steps and fields are left out as long as it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Case = dict[str, Any]

OPTIONAL = ("named", "store", "store_type", "history_ms", "retention_ms", "extractor", "max_records", "max_bytes")

# what takes and makes the same kind of thing
BYPASSED = (
    "emit_strategy",
    "filter",
    "filter_not",
    "flat_map",
    "flat_map_values",
    "map",
    "map_values",
    "merge",
    "peek",
    "process",
    "process_values",
    "repartition",
    "select_key",
    "suppress",
)


def shrunk(case: Case, differs: Callable[[Case], bool]) -> Case:
    """Greedy: the first smaller case that still differs is tried further."""
    while smaller := next((candidate for candidate in _smaller(case) if differs(candidate)), None):
        case = smaller
    return case


def _smaller(case: Case) -> Iterator[Case]:
    inputs = case["inputs"]
    size = max(1, len(inputs) // 2)
    while inputs:
        for start in range(0, len(inputs), size):
            yield case | {"inputs": inputs[:start] + inputs[start + size :]}
        if size == 1:
            break
        size //= 2
    for at in reversed(range(len(case["topology"]))):
        if (topology := _without(case["topology"], at)) is not None:
            yield case | {"topology": topology, "inputs": _for(topology, inputs)}
        if (topology := _bypassing(case["topology"], at)) is not None:
            yield case | {"topology": topology}
    for at, step in enumerate(case["topology"]):
        for field in OPTIONAL:
            if field in step and not (field == "store" and "history_ms" in step):
                rest = {name: value for name, value in step.items() if name != field}
                yield case | {"topology": [*case["topology"][:at], rest, *case["topology"][at + 1 :]]}
    for field in case.get("config", {}):
        yield case | {"config": {name: value for name, value in case["config"].items() if name != field}}
    for at, record in enumerate(inputs):
        if "headers" in record:
            rest = {name: value for name, value in record.items() if name != "headers"}
            yield case | {"inputs": [*inputs[:at], rest, *inputs[at + 1 :]]}


def _needs(step: Case) -> set[str]:
    return {step[name] for name in ("of", "with") if name in step} | {group["of"] for group in step.get("groups", ())}


def _gives(step: Case) -> set[str]:
    return {step["let"]} if "let" in step else {branch["let"] for branch in step.get("branches", ())}


def _without(topology: list[Case], at: int) -> list[Case] | None:
    """A step and all that needs it are left out."""
    gone = set(_gives(topology[at]))
    kept = topology[:at]
    for step in topology[at + 1 :]:
        if _needs(step) & gone:
            gone |= _gives(step)
        else:
            kept.append(step)
    return kept or None


def _bypassing(topology: list[Case], at: int) -> list[Case] | None:
    """A step is left out, and what followed it follows its input, where the types are the same."""
    step = topology[at]
    source = next((other for other in topology if other.get("let") == step.get("of", "")), None)
    if source is None or step["op"] not in BYPASSED or source["type"] != step["type"]:
        return None
    follows = {step["let"]: step["of"]}
    return [_renamed(other, follows) for other in (*topology[:at], *topology[at + 1 :])]


def _renamed(step: Case, follows: dict[str, str]) -> Case:
    made = dict(step)
    for name in ("of", "with"):
        if name in made:
            made[name] = follows.get(made[name], made[name])
    if "groups" in made:
        made["groups"] = [{**group, "of": follows.get(group["of"], group["of"])} for group in made["groups"]]
    return made


def _for(topology: list[Case], inputs: list[Case]) -> list[Case]:
    topics = {topic for step in topology for topic in (step.get("topic"), *step.get("topics", ()))}
    return [record for record in inputs if "topic" not in record or record["topic"] in topics]
