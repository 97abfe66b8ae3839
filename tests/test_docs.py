"""The documentation says what there is: each public name has an example, and the pages agree with the code.

The examples of docstrings run as doctests, those of the pages in `tests/test_readme.py`.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterator
from doctest import DocTestParser
from pathlib import Path
from typing import Any

import pytest

import millstream as ms
import millstream.testing
from millstream.config import documented
from tests import settings_page

ROOT = Path(__file__).parents[1]

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
    "connect": "it takes a program that runs elsewhere; docs/queries.md shows it, tests/remote run it",
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
        if len(inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].splitlines()) != 1
    ]
    assert found == []


@pytest.mark.parametrize("broken", ["filter", "to"])
def test_an_operator_without_an_example_is_found(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getattr(ms.Stream, broken), "__doc__", "Told in words alone.\n\n>>> stream.filter(None)\n")
    assert f"Stream.{broken}" in set(without_example())


def test_the_page_of_settings_is_what_is_declared() -> None:
    assert settings_page.PAGE.read_text() == settings_page.page(), "write it anew: python -m tests.settings_page"


def test_every_group_of_settings_begins_with_one_that_there_is() -> None:
    assert settings_page.GROUPS.keys() <= {each.name for each in documented()}


# pages that name everything, or are for those who change Millstream
NOT_FOR_USE = {"architecture.md", "from-kafka-streams.md", "rules.md"}
ON_NO_PAGE = {"SchemaRegistry.referenced"}  # asked by serdes, of schemas that refer to others


def on_no_page(pages: str) -> list[str]:
    names = [
        each
        for name, named in public()
        for each in (name, *(f"{name}.{method}" for method, _ in (methods(named) if inspect.isclass(named) else ())))
        if not (is_serde(named) and each.rpartition(".")[2] in OF_EVERY_SERDE)
    ]
    words = set(re.findall(r"\w+", pages))
    return [name for name in names if name.rpartition(".")[2] not in words]


def test_every_public_name_is_on_a_page() -> None:
    pages = "\n".join(page.read_text() for page in (ROOT / "docs").glob("*.md") if page.name not in NOT_FOR_USE)
    assert set(on_no_page(pages)) == ON_NO_PAGE
    assert "Stream.select_key" in on_no_page(pages.replace("select_key", ""))


KAFKA_PAGE = ROOT / "docs" / "from-kafka-streams.md"
ROW = re.compile(r"^\| .+? \| (.*?) \| .*\|$", re.MULTILINE)
NAMED = re.compile(r"`(\w+)(?:\.(\w+))?(?:\(([\w=, ]+)\))?`")
TESTING = ("TestDriver", "drive")


def unknown_names(page: str) -> list[str]:
    """What the tables name for Millstream and there is not: `ms.x`, `Class.method`, also with `(parameter=, ...)`."""
    found = []
    for cell in ROW.findall(page[page.index("## Where a program begins") :]):
        for match in NAMED.finditer(cell):
            owner, name, parameters = match.groups()
            if not exists(owner, name, [each.strip(" =") for each in (parameters or "").split(",") if each]):
                found.append(match[0])
    return found


def exists(owner: str, name: str | None, parameters: list[str]) -> bool:
    module = millstream.testing if owner in TESTING else ms
    named: Any = ms if owner == "ms" else getattr(module, owner, None)
    if name is not None:
        named = getattr(named, name, None)
    elif owner == "App":
        return set(parameters) <= {setting.name for setting in documented()}
    return named is not None and set(parameters) <= set(inspect.signature(named).parameters if parameters else ())


def test_the_names_for_those_who_know_kafka_streams_are_there() -> None:
    page = KAFKA_PAGE.read_text()
    assert len(NAMED.findall(page)) > 150
    assert unknown_names(page) == []


def test_a_name_that_is_not_there_is_found() -> None:
    page = "## Where a program begins\n"
    rows = ("`Stream.fitler`", "`ms.tumblin`", "`App(commit_intervall=)`", "`Stream.join(windows=)`", "`Table.join`")
    page += "".join(f"| `x` | {row} | |\n" for row in rows)
    assert unknown_names(page) == list(rows[:4])


PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")


def anchors(page: Path) -> set[str]:
    """What a heading is linked by: its words in lower case, joined by hyphens, as GitHub does."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    found = []
    for path, anchor in LINK.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)):
        if path.startswith(("http:", "https:")):
            continue
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(f"{path}#{anchor}" if anchor else path)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One heading, of `code`\n")
    page = tmp_path / "page.md"
    page.write_text("[a](other.md#one-heading-of-code) [b](other.md#two) [c](none.md) [d](https://example.org/x)\n")
    assert broken_links(page) == ["other.md#two", "none.md"]


def test_the_index_names_every_page() -> None:
    linked = {path for path, _ in LINK.findall((ROOT / "docs" / "README.md").read_text())}
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} <= linked


ARCHITECTURE = ROOT / "docs" / "architecture.md"


def missing_paths(text: str) -> list[str]:
    """What is named as a path, from the root, the package or the folder of the one before, and is not there."""
    found, folder = [], ROOT
    for named in re.findall(r"`([\w./]+(?:\.py|\.md|\.xml|\.toml|/))`", text):
        known = [base / named for base in (ROOT, ROOT / "src" / "millstream", folder) if (base / named).exists()]
        if known:
            folder = known[0] if known[0].is_dir() else known[0].parent
        else:
            found.append(named)
    return found


def tree(text: str) -> Iterator[str]:
    """The paths in the drawing of the tree."""
    folders: list[tuple[int, str]] = []
    drawing = text[text.index("## The tree") : text.index("## Imports point down")]
    for indent, name in re.findall(r"^( +)([\w./]+)(?:  .*)?$", drawing, re.MULTILINE):
        folders = [each for each in folders if each[0] < len(indent)]
        yield "".join((*(folder for _, folder in folders), name))
        folders.append((len(indent), name))


def test_the_architecture_names_what_is_there() -> None:
    text = ARCHITECTURE.read_text()
    assert missing_paths(text) == []
    named = list(tree(text))
    assert [path for path in named if not (ROOT / path).exists()] == []
    package = {
        f"src/millstream/{each.name}{'/' if each.is_dir() else ''}"
        for each in (ROOT / "src" / "millstream").iterdir()
        if not each.name.startswith("_") and each.name != "py.typed"
    }
    assert package - set(named) == set(), "say in the tree what it is"


def test_the_architecture_says_why_of_every_dependency() -> None:
    text = ARCHITECTURE.read_text()
    rows = text[text.index("## Dependencies") : text.index("## Decisions")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    names = {
        re.split(r"[^\w-]", each)[0] for each in (*project["dependencies"], *(each for one in extras for each in one))
    }
    assert {name for name in names if not name.startswith("types-") and name not in rows} == set()
