"""The documentation says what there is: each public name has an example, and the pages agree with the code.

The examples of docstrings run as doctests, those of the pages in `tests/test_readme.py`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from doctest import DocTestParser
from typing import Any

import pytest

import millstream as ms
import millstream.testing

MODULES = (ms, millstream.testing)

# what is written with them, so that each method has an example of its own that shows its result
OPERATORS = (
    ms.App,
    ms.CogroupedStream,
    ms.GlobalTable,
    ms.GroupedStream,
    ms.GroupedTable,
    ms.SplitStream,
    ms.Stream,
    ms.Table,
)

NO_EXAMPLE = {
    "App.run": "it runs until it is stopped, on a broker; README.md shows it, tests/runtime run it",
    "ProcessorContext.target": "what forward asks; it is called by the engine",
    "SchemaRegistry.register": "asked by serdes; AvroSerde shows what comes of it",
    "SchemaRegistry.schema": "asked by serdes; AvroSerde shows what comes of it",
    "SchemaRegistry.version": "asked by serdes; AvroSerde shows what comes of it",
    "SchemaRegistry.referenced": "asked by serdes; ProtobufSerde shows what comes of it",
    "TestDriver.close": "the end of every `with` in the examples",
    "TestDriver.rows": "the engine's own form of a store, for tests of the engine",
}
# the contract of a serde, told where it is declared: `Serde`, `TopicBound`
OF_EVERY_SERDE = {"encode", "decode", "for_topic", "name", "type", "cacheable"}


def public() -> Iterator[tuple[str, Any]]:
    for module in MODULES:
        for name in module.__all__:
            named = getattr(module, name)
            if inspect.isclass(named) or inspect.isfunction(named):
                yield name, named


def methods(of: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that this package gives a class, inherited ones too."""
    for name in dir(of):
        member = inspect.getattr_static(of, name)
        function = getattr(member, "__func__", None) or getattr(member, "fget", None) or member
        if not name.startswith("_") and inspect.isfunction(function) and is_ours(function):
            yield name, function


def is_ours(named: Any) -> bool:
    return bool(named.__module__.split(".")[0] == "millstream")


def is_serde(named: Any) -> bool:
    return hasattr(named, "encode") or hasattr(named, "for_topic")


def shown(docstring: str | None) -> str:
    """The source of the examples in a docstring, if one of them shows a result."""
    examples = DocTestParser().get_examples(docstring or "")
    return "".join(example.source for example in examples) if any(example.want for example in examples) else ""


def called(name: str, source: str) -> bool:
    return re.search(rf"(\.|def ){name}\b", source) is not None


def without_example() -> Iterator[str]:
    for name, named in public():
        if not shown(named.__doc__):
            yield name
        if not inspect.isclass(named):
            continue
        sources = {method: shown(function.__doc__) for method, function in methods(named)}
        together = "\n".join((shown(named.__doc__), *sources.values()))
        for method, source in sources.items():
            if method in OF_EVERY_SERDE and is_serde(named):
                continue
            if not called(method, source if named in OPERATORS else together):
                yield f"{name}.{method}"


def test_every_public_name_has_an_example_that_shows_what_comes_of_it() -> None:
    """An operator one of its own; any other method may be shown in an example of its class."""
    assert sorted(set(without_example()) - set(NO_EXAMPLE)) == []


def test_no_exception_outlives_its_reason() -> None:
    assert sorted(set(NO_EXAMPLE) - set(without_example())) == []


def test_every_public_name_has_a_docstring_that_opens_with_one_line() -> None:
    found = [
        f"{name}.{method}" if method else name
        for name, named in public()
        for method, function in (("", named), *(methods(named) if inspect.isclass(named) else ()))
        if not (method in OF_EVERY_SERDE and is_serde(named))
        if not (function.__doc__ or "").strip()
    ]
    assert found == []


@pytest.mark.parametrize("broken", ["filter", "to"])
def test_an_operator_without_an_example_is_found(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getattr(ms.Stream, broken), "__doc__", "Told in words alone.\n\n>>> stream.filter(None)\n")
    assert f"Stream.{broken}" in set(without_example())
