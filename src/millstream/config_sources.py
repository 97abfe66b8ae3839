"""Settings from outside of the program: a TOML file, and the environment over it.

What counts more comes later: defaults, what the code gives, the file, the environment, the command line (which speaks
through the environment, so that processes it starts hear it too). The code says what the program needs, and where it
runs may say otherwise. Kafka's own properties are put together one by one.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from millstream.config import PREFIX, Settings, written_name
from millstream.errors import ConfigError

FILE_NAME = "millstream.toml"
CONFIG = PREFIX + "CONFIG"

# Not settings: the path of the file, and two switches of this project's own tests.
_OTHERS = frozenset({CONFIG, PREFIX + "REQUIRE_KAFKA", PREFIX + "CI_LIMITED"})
# Kubernetes and Docker tell containers of each service in such variables, and one may be called "millstream".
_SERVICE_LINK = re.compile(r"(.+_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP)(_.+)?)?)")

_FIELDS: Mapping[str, Field[Any]] = {
    written_name(each.name): each for each in fields(Settings) if each.name != "application_id"
}
_HINTS = get_type_hints(Settings)
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def with_sources(given: Mapping[str, Any], environment: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """The code's settings with those of the file and the environment over them.

    The file is the one that `MILLSTREAM_CONFIG` names, else `millstream.toml` in the program's folder, if there is one.
    Raises ConfigError for what is unknown or makes no sense, and says where it stands; values of Kafka's properties,
    which may be secrets, are in no message.

    >>> environment = {"MILLSTREAM_STORE": "memory", "MILLSTREAM_KAFKA_SASL_USERNAME": "me"}
    >>> with_sources({"store": "rocksdb"}, environment, Path("."))
    {'store': 'memory', 'kafka': {'sasl.username': 'me'}}
    """
    named = environment.get(CONFIG)
    path = Path(named) if named else folder / FILE_NAME
    if named and not path.is_file():
        raise ConfigError(f"{CONFIG}: there is no file {named!r}")
    layers = [dict(given), from_file(path) if path.is_file() else {}, from_environment(environment)]
    merged: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
            merged[name] = {**merged[name], **value} if both else value
    return merged


def from_file(path: Path) -> dict[str, Any]:
    """The settings in a TOML file: each under its name, Kafka's properties in tables."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    return {name: _from_toml(name, value, str(path)) for name, value in found.items()}


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings in variables: MILLSTREAM_COMMIT_INTERVAL, or MILLSTREAM_KAFKA_SASL_PASSWORD for a property."""
    found: dict[str, Any] = {}
    for variable, text in environment.items():
        short = variable.removeprefix(PREFIX)
        if short == variable or variable in _OTHERS or _SERVICE_LINK.fullmatch(short):
            continue
        name = short.lower()
        table, _, key = name.partition("_")
        if name in _FIELDS and not _is_table(name):
            found[name] = _from_text(name, text, variable)
        elif key and _is_table(table):
            found.setdefault(table, {})[key.replace("_", ".")] = text
        else:
            raise _unknown(variable, (PREFIX + each.upper() for each in _FIELDS))
    return found


def variable(assignment: str) -> tuple[str, str]:
    """The variable and its text for NAME=VALUE, as the command line has it.

    >>> variable("commit_interval=1s"), variable("kafka.sasl.password=a=b")
    (('MILLSTREAM_COMMIT_INTERVAL', '1s'), ('MILLSTREAM_KAFKA_SASL_PASSWORD', 'a=b'))
    """
    name, equals, text = assignment.partition("=")
    if not equals:
        raise ConfigError(f"--set takes NAME=VALUE, got {name!r}")
    if name not in _FIELDS and not _is_table(name.partition(".")[0]):
        raise _unknown(f"--set {name}", _FIELDS)
    return PREFIX + name.upper().replace(".", "_"), text


def _is_table(name: str) -> bool:
    return name in _FIELDS and _FIELDS[name].default_factory is not MISSING


def _unknown(where: str, known: Iterable[str]) -> ConfigError:
    near = difflib.get_close_matches(where.rpartition(" ")[2], list(known), 1)
    return ConfigError(f"{where}: there is no such setting" + (f"; did you mean {near[0]}?" if near else ""))


# --- values


def _from_text(name: str, text: str, where: str) -> Any:
    kinds = _kinds(name)
    if type(None) in kinds and text.lower() in ("", "none"):
        return None
    if bool in kinds:
        return _read(lambda given: _TRUTH[given.lower()], text, f"{where}: give true or false")
    if int in kinds and not (_FIELDS[name].metadata["parse"] and not text.strip().isdigit()):
        return _read(int, text, f"{where}: give a whole number")
    return text


def _from_toml(name: str, value: Any, where: str) -> Any:
    if name not in _FIELDS:
        raise _unknown(f"{where}: {name}", _FIELDS)
    if _is_table(name):
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: {name} is a table of Kafka's properties: [{name}]")
        return {key: _written(each) for key, each in _flat(value)}
    kinds = _kinds(name)
    texts = _FIELDS[name].metadata["parse"] is not None or str in kinds or not kinds
    fits = type(value) in kinds or (texts and isinstance(value, str)) or (not kinds and isinstance(value, list))
    if not fits:
        raise ConfigError(f"{where}: {name}={value!r} is not of a type that it can have")
    return value


def _kinds(name: str) -> frozenset[type]:
    """The types that a setting can have; none where it can have any."""
    hint = _HINTS[_FIELDS[name].name]
    found = get_args(hint) or (hint,)
    return frozenset(each if isinstance(each, type) else type(each) for each in found if each is not Any)


def _read(read: Callable[[str], Any], text: str, otherwise: str) -> Any:
    try:
        return read(text.strip())
    except (KeyError, ValueError):
        raise ConfigError(f"{otherwise}, not {text!r}") from None


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """A table's values by their whole names: TOML reads `sasl.password` as a table within one."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def _written(value: Any) -> str:
    """As librdkafka wants it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
