"""What the package imports, it declares."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]


def canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {canonical(re.split(r"[^\w.-]", requirement)[0]) for requirement in project["dependencies"]}


def imported() -> set[str]:
    """Names of the top-level modules that any module of the package or the examples imports."""
    names: set[str] = set()
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_bytes(), path)):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.partition(".")[0])
    return names


def test_every_library_that_is_imported_is_declared() -> None:
    libraries = imported() - sys.stdlib_module_names - {"millstream", "examples"}
    owners = packages_distributions()
    used = {canonical(owner) for library in libraries for owner in set(owners.get(library, [library]))}
    assert used, "the package imports something"
    assert used - declared() == set()
