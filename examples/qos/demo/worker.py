"""The process that runs the application, and tells how it gets on."""

from __future__ import annotations

from threading import Event, Thread

from ..app import build
from . import child

TELL_EVERY_S = 0.1


def main() -> None:
    """Run until the parent lets go, then commit and leave."""
    given = child.argument()
    app = build(given["clock"], given["application_id"], bootstrap_servers=given["bootstrap"], commit_interval="1s")
    stop, over = Event(), Event()

    def report() -> None:
        while not over.wait(TELL_EVERY_S):
            status = app.status()
            first = sum(task.records for task in status.tasks if task.id.startswith("0_"))
            child.tell(ready=status.ready, records=first, late=status.late)

    child.stop_with_parent(stop)
    teller = Thread(target=report)
    teller.start()
    try:
        app.run(stop)
    finally:
        over.set()
        teller.join()


if __name__ == "__main__":
    child.run(main)
