"""An application: a program, its settings, and running it."""

from __future__ import annotations

from typing import Any

from millstream.config import Settings
from millstream.dsl.program import Program


class App(Program):
    """A program under an application id, with its settings (`millstream.config.Settings` documents each).

    >>> app = App("words", commit_interval="5s")
    >>> app.stream("lines", value=str).filter(lambda line: "fox" in line).to("foxes")
    >>> len(app.topology().subtopologies)
    1
    """

    def __init__(self, application_id: str, **settings: Any) -> None:
        self.settings = Settings.of(application_id, **settings)
        super().__init__(emit=self.settings.emit)
