"""Millstream's answer to a case against Kafka Streams': outputs, stores, errors, the description."""

from __future__ import annotations

from typing import Any

from millstream.plan.describe import describe
from millstream.plan.nodes import StoreType
from tests.conformance.program import build
from tests.conformance.runner import run
from tests.oracle.kafka_streams import Answer, Case

FIELDS = ("name", "about", "tags", "config", "topology", "inputs")


def answered(case: Case, answer: Answer) -> Case:
    """The case with Kafka Streams' answer, as conformance cases are kept."""
    kept: Case = {
        field: case[field] for field in ("name", "about", "tags", "config", "topology", "inputs") if field in case
    }
    if "error" in answer:
        kept["error"] = answer["error"]
    if answer.get("error", {}).get("when") != "build":
        kept["outputs"] = answer["outputs"]
    if "error" not in answer and answer["stores"]:
        kept["stores"] = answer["stores"]
    return kept


def difference(case: Case, answer: Answer, store: StoreType = "memory") -> str | None:
    """What Millstream does otherwise than Kafka Streams, if anything."""
    expected = answered(case, answer)
    verdict = run(expected, store)
    if verdict.unsupported is not None:
        return f"unsupported: {verdict.unsupported}"
    if verdict.difference is not None:
        told = f"; Kafka Streams says: {answer['message']}" if "message" in answer else ""
        return f"{verdict.difference}{told}"
    if "describe" not in answer:
        return None
    mine = describe(build(case).topology()).split("\n")
    return _described(mine, answer["describe"])


def _described(mine: list[str], theirs: list[str]) -> str | None:
    if mine == theirs:
        return None
    at = next((i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), min(len(mine), len(theirs)))
    return f"describe, line {at}: {_around(mine, at)}, expected {_around(theirs, at)}"


def _around(lines: list[str], at: int) -> Any:
    return [line.strip() for line in lines[max(0, at - 1) : at + 3]]
