"""What the package imports, it declares."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def names_of(requirements: Iterable[str]) -> set[str]:
    return {canonical(re.split(r"[^\w.-]", requirement)[0]) for requirement in requirements}


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def declared() -> set[str]:
    return names_of(project()["dependencies"])


def optional() -> set[str]:
    extras = project()["optional-dependencies"]
    return names_of(each for extra, requirements in extras.items() if extra != "dev" for each in requirements)


def imported(*, in_functions: bool) -> set[str]:
    """Names of the top-level modules that modules of the package or the examples import, when loaded or when called."""
    names: set[str] = set()
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]:
        tree = ast.parse(path.read_bytes(), path)
        local = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
        }
        for node in ast.walk(tree):
            if (id(node) in local) is not in_functions:
                continue
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.partition(".")[0])
    return names


def undeclared(allowed: set[str], *, in_functions: bool) -> set[str]:
    """Libraries that no distribution of those allowed has. Several may share a name, as those of Google do."""
    libraries = imported(in_functions=in_functions) - sys.stdlib_module_names - {"millstream", "examples"}
    assert libraries, "the package imports something"
    owners = packages_distributions()
    return {each for each in libraries if not allowed & set(map(canonical, owners.get(each, [each])))}


def test_every_library_that_is_imported_is_declared() -> None:
    assert undeclared(declared(), in_functions=False) == set()


def test_what_is_imported_only_when_it_is_needed_is_an_extra() -> None:
    assert undeclared(declared() | optional(), in_functions=True) == set()
