"""Compiles `_columns.c` while the package is built or installed. Where that can't be, the package does without it."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

MODULE = "millstream.client.librdkafka._columns"
SOURCE = Path("src/millstream/client/librdkafka/_columns.c")
LIBRARY = SOURCE.with_suffix(".abi3.so")


class CompiledColumns(BuildHookInterface[Any]):
    """One library for all versions of CPython from 3.11 on."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if sys.platform not in {"linux", "darwin"} or sys.implementation.name != "cpython":
            return
        LIBRARY.unlink(missing_ok=True)
        arguments = ["-std=c11", "-O2", "-g0"]
        columns = Extension(MODULE, [str(SOURCE)], py_limited_api=True, optional=True, extra_compile_args=arguments)
        command = build_ext(Distribution({"ext_modules": [columns], "package_dir": {"": "src"}}))
        command.inplace = True
        with TemporaryDirectory() as command.build_temp, TemporaryDirectory() as command.build_lib:
            command.ensure_finalized()
            command.run()
        if not LIBRARY.exists():
            self.app.display_warning(f"{SOURCE} could not be compiled: records will cost more to read and write")
            return
        build_data["artifacts"].append(str(LIBRARY))
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
