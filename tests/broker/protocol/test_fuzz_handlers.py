"""Millions of damaged requests, read and answered: each is refused, or answered in its schema, and nothing else."""

from __future__ import annotations

from random import Random

import pytest

from millstream.broker.broker import Call
from millstream.broker.dispatch import HANDLERS
from millstream.broker.protocol.codec import Request, UnreadableRequestError, read_request, write_answer
from tests.broker.core import Core
from tests.broker.protocol.test_fuzz import VALID

FRESH_EVERY = 2_000


def damaged(random: Random) -> bytes:
    """A valid request with one to four places overwritten, cut out or filled in; mostly behind its key and version."""
    raw = bytearray(random.choice(VALID)[2])
    for _ in range(random.randint(1, 4)):
        at = random.randrange(4 if random.random() < 0.95 else 0, len(raw)) if len(raw) > 4 else 0
        raw[at : at + random.randint(0, 4)] = random.randbytes(random.randint(0, 4))
    return bytes(raw)


def answered(core: Core, request: Request) -> None:
    """Handle it as the server does; what waits is answered while time passes."""

    def reply(answer: object) -> None:
        if answer is not None:
            write_answer(request, answer)

    who = (request.version, request.client_id, "10.0.0.9", "127.0.0.1", 9092)
    call = Call(*who, int(core.now_ms), core.now_ms, core.gone.append)
    HANDLERS[request.api_key](core.broker, call, request.message, reply)


def fuzz(seed: int, count: int) -> tuple[int, int]:
    """How many were refused, and how many answered."""
    random = Random(seed)
    refused = taken = 0
    core = Core()
    for number in range(count):
        if number % FRESH_EVERY == 0:
            core.broker.close()
            core = Core()
            core.broker.partitions.add(core.broker.catalogue.create("t", 2, {}))
        raw = damaged(random)
        try:
            request = read_request(raw)
        except UnreadableRequestError:
            refused += 1
        else:
            taken += 1
            answered(core, request)
        if number % 50 == 0:
            core.advance(500)
    core.broker.close()
    return refused, taken


def test_some() -> None:
    refused, taken = fuzz(1, 20_000)
    assert refused > 10_000
    assert taken > 500


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(4))
def test_a_million(seed: int) -> None:
    refused, taken = fuzz(1_000 + seed, 1_000_000)
    assert refused + taken == 1_000_000
