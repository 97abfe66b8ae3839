"""Compiles `_columns.c` while the package is built or installed. Where that can't be, the package does without it."""

from __future__ import annotations

import sys
import sysconfig
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError

MODULE = "millstream.client.librdkafka._columns"
SOURCE = "src/millstream/client/librdkafka/_columns.c"


class CompiledColumns(BuildHookInterface[Any]):
    """One library for all versions of CPython from 3.11 on."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if sys.platform not in {"linux", "darwin"} or sys.implementation.name != "cpython":
            return
        columns = Extension(MODULE, [SOURCE], py_limited_api=True, extra_compile_args=["-std=c11", "-O2"])
        command = build_ext(Distribution({"ext_modules": [columns], "package_dir": {"": "src"}}))
        command.inplace = True
        command.ensure_finalized()
        try:
            command.run()
        except BaseError as problem:
            self.app.display_warning(
                f"Reading and writing will cost more, for {SOURCE} could not be compiled: {problem}"
            )
            return
        build_data["artifacts"].append("src/millstream/client/librdkafka/_columns.abi3.so")
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
