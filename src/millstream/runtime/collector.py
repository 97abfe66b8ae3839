"""Python's cyclic garbage collector while records are processed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG, MIDDLE, OLD = 200_000, 20, 50


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect seldom, and never look again at what exists now.

    A batch of records allocates thousands of objects that are freed by their reference counts; with the default
    threshold of 700 the collector runs through them again and again and finds nothing.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
