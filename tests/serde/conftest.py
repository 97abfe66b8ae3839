"""A schema registry for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serde.registry import Registry, serving


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving() as running:
        yield running
