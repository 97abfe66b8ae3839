"""The user's program as the command line names it: a file, and the application in it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from millstream.app import App
from millstream.errors import ConfigError


def load_app(named: str) -> App:
    """The application in FILE, or FILE:NAME. Without a name: the one called `app`, or else the only one.

    The file is imported, not run as a script, so what stands under `if __name__ == "__main__"` is left out. A file in
    a package is imported as a part of it.
    """
    file, _, name = named.partition(":")
    path = Path(file)
    if not path.is_file():
        raise ConfigError(f"there is no file {file!r}; give the Python file in which the App is made")
    module = _import(path.resolve())
    apps = {key: value for key, value in vars(module).items() if isinstance(value, App)}
    if name:
        if name not in apps:
            raise ConfigError(f"{file} has no App named {name!r}; it has: {', '.join(apps) or 'none'}")
        return apps[name]
    if "app" in apps:
        return apps["app"]
    if len(apps) != 1:
        found = (
            f"several ({', '.join(apps)}); name one as {file}:NAME" if apps else 'none; make one: app = ms.App("name")'
        )
        raise ConfigError(f"{file} must hold one App at module level, and holds {found}")
    return next(iter(apps.values()))


def _import(path: Path) -> object:
    names = [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists():
        names.insert(0, folder.name)
        folder = folder.parent
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(".".join(names))
    except SyntaxError as error:
        raise ConfigError(f"{path.name} cannot be read: {error}") from error
