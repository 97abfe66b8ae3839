"""Where Millstream means to be unlike Kafka Streams 4.3.1, which refuses or stops at what its documentation allows."""

from __future__ import annotations

from tests.oracle.kafka_streams import Answer, Case

# what Kafka Streams' message has in it, and why Millstream does otherwise
KNOWN = {
    "-repartition-filter is already added": "a cogroup of two re-keyed streams needs a name in Kafka Streams",
    "KTable source state store must implement": "a windowed cogroup can't be joined as a table in Kafka Streams",
    "Window endMs must be greater": "sliding windows of no length are taken by Kafka Streams, but no record is",
    "Found a null keyChangingChild node": "an optimisation that Kafka Streams begins and can't end",
    "key cannot be null": "a left join with a grace fails at a null key in Kafka Streams; J14 passes it on",
}


def unlike(case: Case, answer: Answer) -> str | None:
    """The reason why the answers may differ, if there is one."""
    if "optimization" in case.get("config", {}) and any(_is_self_join(step) for step in case["topology"]):
        return "an optimised join of a stream with itself loses late and unkeyed records in Kafka Streams; J11 doesn't"
    if any("history_ms" in step for step in case["topology"]) and _deletes_at_once(case["inputs"]):
        return "Kafka Streams' versioned store forgets a delete at the time of the key's only version; K15 keeps it"
    if "failure" in answer:
        return f"the oracle cannot run {case['name']}: {answer['failure']}"
    message = answer.get("message", "")
    return next((why for part, why in KNOWN.items() if part in message), None)


def _is_self_join(step: Case) -> bool:
    return "window" in step and step.get("with") is not None and step["with"] == step.get("of")


def _deletes_at_once(inputs: list[Case]) -> bool:
    """Whether a key is deleted at the time of a value that it had."""
    had: set[tuple[object, ...]] = set()
    for record in inputs:
        place = (record.get("topic"), record.get("key"), record.get("timestamp"))
        if record.get("value", "") is None and place in had:
            return True
        had.add(place)
    return False
