"""A task's stores on disk: what a commit that was given up leaves to the next."""

from __future__ import annotations

import millstream as ms
from tests.engine.tasks import Plan, Row, batch_of
from tests.state.disks import MemoryTaskDisk


def test_a_commit_that_was_given_up_is_made_up_for() -> None:
    """The worker gives a commit up when it loses other tasks; what it took of the stores is in the changelog all the
    same, or on its way there.
    """
    app = ms.App("app")
    app.table("t", value=str, store="rows")
    plan = Plan(app, {"t": 1})
    (spec,) = plan.resolved.tasks
    (source,), (changelog,) = spec.inputs, spec.changelogs
    disk = MemoryTaskDisk(["rows"])
    task = plan.task(spec, plan.outbox(), disk=disk)
    task.start()
    for offset, key in enumerate((b"a", b"b")):
        task.add(batch_of(source, [Row(key, b"x", 5)], offset))
        task.process(max_rows=1, up_to_ms=None, wall_ms=0)
        assert len(task.changelog()[0]) == 1
    task.settle({changelog: 2})
    assert sorted(disk.store("rows").rows) == [b"a", b"b"]
    assert disk.offsets() == {"rows": 2}
