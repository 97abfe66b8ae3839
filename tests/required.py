"""The pytest plugin behind the marks in `MARKS`: where such tests must run, a skip is a failure.

On any machine they are skipped, with the reason, when what they need is missing. With MILLSTREAM_REQUIRE_KAFKA=1
(continuous integration sets it) a session fails that skips one of them, or a whole module, or that ran none.
"""

from __future__ import annotations

import os
import shutil

import pytest

from millstream.client.librdkafka.columns import PLUGIN
from tests.shared import SHARED

MARKS = ("kafka", "kcat", "compiled", "shared")
KAFKA_TEST_LIMIT_S = 360  # the first of them waits for Maven and for Kafka's start


class Required:
    """Notes the marked tests that ran and those that were skipped, and fails the session over the latter.

    With several processes it is the one that collects their reports, so it looks at nothing but reports.
    """

    def __init__(self) -> None:
        self.skipped: list[str] = []
        self.ran = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if any(mark in report.keywords for mark in MARKS):
            if report.skipped and not hasattr(report, "wasxfail"):
                self.skipped.append(report.nodeid)
            elif report.when == "call":
                self.ran = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unmet() and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self.unmet():
            terminalreporter.write_line(f"MILLSTREAM_REQUIRE_KAFKA=1, but {line}", red=True)

    def unmet(self) -> list[str]:
        """What the session owes, a line each; nothing when all is well."""
        if not (self.skipped or self.ran):
            return ["no test that needs Kafka ran"]
        return [f"skipped: {test}" for test in self.skipped]


def pytest_configure(config: pytest.Config) -> None:
    of_several = hasattr(config, "workerinput")  # pytest-xdist's
    if os.environ.get("MILLSTREAM_REQUIRE_KAFKA") == "1" and not of_several:
        config.pluginmanager.register(Required(), "required")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "apache_kafka" in getattr(item, "fixturenames", ()):
            item.add_marker("kafka")
        if item.get_closest_marker("kafka") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(KAFKA_TEST_LIMIT_S))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("kcat") and shutil.which("kcat") is None:
        pytest.skip("needs kcat (Debian package kcat)")
    if item.get_closest_marker("compiled") and PLUGIN is None:
        pytest.skip("needs `_columns.c` compiled: install the package where a C compiler and Python's headers are")
    if item.get_closest_marker("shared") and not SHARED.is_dir():
        pytest.skip("needs the folder `shared` beside the checkout")
