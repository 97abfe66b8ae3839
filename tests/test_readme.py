"""The Python programs of the README and of the pages in `docs` run as they stand there.

All blocks of a page share one module, top to bottom, as a reader would type them. A block right after the line
`<!-- not run: REASON -->` is left out.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"^(<!-- not run: .+ -->\n+)?```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def python_blocks(text: str) -> list[str]:
    """The blocks to run, each behind as many empty lines as precede it, so that errors name the README's lines."""
    return ["\n" * text.count("\n", 0, match.start(2)) + match[2] for match in BLOCK.finditer(text) if match[1] is None]


def run(blocks: list[str], module: ModuleType, file: str) -> None:
    for block in blocks:
        exec(compile(block, file, "exec"), vars(module))


@pytest.fixture
def readme_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """An empty module that the import system knows, as classes look up their annotations there."""
    module = ModuleType("readme")
    monkeypatch.setitem(sys.modules, "readme", module)
    monkeypatch.chdir(tmp_path)
    return module


PAGES = [README, *(page for page in sorted((ROOT / "docs").glob("*.md")) if python_blocks(page.read_text()))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_programs_of_a_page_run(page: Path, readme_module: ModuleType) -> None:
    blocks = python_blocks(page.read_text())
    assert blocks, "README.md has no Python block to run"
    run(blocks, readme_module, str(page))


def test_blocks_share_a_module_and_unmarked_ones_run(readme_module: ModuleType) -> None:
    text = (
        "```python\na = 1\n```\n<!-- not run: needs a cluster -->\n```python\na = 9\n```\n\n```python\nb = a + 1\n```\n"
    )
    run(python_blocks(text), readme_module, "text")
    assert (vars(readme_module)["a"], vars(readme_module)["b"]) == (1, 2)


def test_an_error_names_the_line_of_the_text(readme_module: ModuleType) -> None:
    text = "# Title\n\n```python\n1 / 0\n```\n"
    with pytest.raises(ZeroDivisionError) as raised:
        run(python_blocks(text), readme_module, "text")
    assert raised.traceback[-1].lineno + 1 == 4
