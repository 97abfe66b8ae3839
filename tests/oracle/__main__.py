"""Kafka Streams' answers: `python -m tests.oracle compare FIRST END`, the random cases of these seeds, each difference
made small; `python -m tests.oracle answer FILE`, the answers of a file of cases, written into it and its description.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.oracle.compare import answered, difference
from tests.oracle.kafka_streams import Case, KafkaStreams
from tests.oracle.programs import case
from tests.oracle.shrink import shrunk
from tests.oracle.ties import depends_on_order
from tests.oracle.unlike import unlike


def compare(first: int, end: int) -> int:
    differ = 0
    with KafkaStreams() as kafka_streams:

        def differs(candidate: Case) -> bool:
            answer = kafka_streams.answer(candidate)
            return (
                unlike(candidate, answer) is None
                and difference(candidate, answer) is not None
                and not depends_on_order(candidate, answer.get("outputs", ()))
            )

        for seed in range(first, end):
            if differs(case(seed)):
                differ += 1
                small = shrunk(case(seed), differs)
                told = difference(small, kafka_streams.answer(small))
                print(f"{small['name']}: {told}\n{json.dumps(small)}")
    print(f"{end - first - differ} of {end - first} like Kafka Streams' own")
    return 1 if differ else 0


def answer(path: Path) -> int:
    """The cases stand in `.../scenarios/NAME.json`, their descriptions in `.../describe/scenarios/NAME.json`."""
    with KafkaStreams() as kafka_streams:
        cases = [(given, kafka_streams.answer(given)) for given in json.loads(path.read_text())]
    described = path.parents[1] / "describe" / path.parent.name / path.name
    described.parent.mkdir(parents=True, exist_ok=True)
    _write(path, [json.dumps(answered(*each)) for each in cases], "[]")
    rows = [f"{json.dumps(given['name'])}: {json.dumps(got['describe'])}" for given, got in cases if "describe" in got]
    _write(described, rows, "{}")
    return 0


def _write(path: Path, rows: list[str], brackets: str) -> None:
    """A line for each case."""
    path.write_text(brackets[0] + "\n" + ",\n".join(rows) + "\n" + brackets[1] + "\n")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["compare", first, end]:
            sys.exit(compare(int(first), int(end)))
        case ["answer", file]:
            sys.exit(answer(Path(file)))
    sys.exit(__doc__)
