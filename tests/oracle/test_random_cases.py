"""Random cases, answered by Kafka Streams and by Millstream, in memory and on disk."""

from __future__ import annotations

import pytest

from millstream.plan.nodes import StoreType
from tests.conformance.runner import cases_in
from tests.oracle.compare import answered, difference
from tests.oracle.kafka_streams import KafkaStreams
from tests.oracle.programs import case
from tests.oracle.ties import depends_on_order
from tests.oracle.unlike import unlike
from tests.shared import CONFORMANCE

pytestmark = [pytest.mark.nightly, pytest.mark.kafka, pytest.mark.timeout(3600)]

SEEDS = 5000
STORES: tuple[StoreType, ...] = ("memory", "rocksdb")


def test_random_cases_have_the_answers_of_kafka_streams(oracle: KafkaStreams) -> None:
    compared, different = 0, {}
    for seed in range(SEEDS):
        given = case(seed)
        answer = oracle.answer(given)
        if unlike(given, answer) is not None:
            continue
        compared += 1
        for store in STORES:
            told = difference(given, answer, store)
            if told is not None and not depends_on_order(given, answer.get("outputs", ())):
                different[seed, store] = told
    assert not different, "\n".join(f"{seed} in {store}: {told}" for (seed, store), told in different.items())
    assert compared > 0.9 * SEEDS


@pytest.mark.shared
def test_the_oracle_gives_the_answers_that_were_given(oracle: KafkaStreams) -> None:
    for given in cases_in(CONFORMANCE):
        got = answered(given, oracle.answer(given))
        for field in ("error", "outputs"):
            assert got.get(field) == given.get(field), given["name"]
