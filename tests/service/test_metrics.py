from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from millstream.runtime import StandbyStatus, TaskStatus, WorkerStatus
from millstream.service.metrics import LATENCY, STANDBY, STORE_ROWS, TASK, WORKER, exposition

STATUS = WorkerStatus(
    tasks=(
        TaskStatus("0_0", "running", 0, records=5, lag=7, latency_sum_ms=1_500, latency_count=3, stores={"counts": 4}),
        TaskStatus("0_1", "restoring", 1),
    ),
    standbys=(StandbyStatus("0_2", 2, 0, 6, 40), StandbyStatus("0_3", 3, 1, None, 0)),
    records=9,
    commit_ms=250.0,
)


def samples(status: WorkerStatus) -> dict[tuple[str, ...], float]:
    text = exposition("app", lambda: status)().decode()
    return {
        (
            sample.name,
            *(sample.labels[each] for each in ("application", "task", "store") if each in sample.labels),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_snapshot_is_told_in_prometheus_form():
    found = samples(STATUS)
    assert found["millstream_records_total", "app"] == 9
    assert found["millstream_commit_seconds_total", "app"] == 0.25
    assert found["millstream_task_records_total", "app", "0_0"] == 5
    assert found["millstream_task_latency_seconds_sum", "app", "0_0"] == 1.5
    assert found["millstream_task_latency_seconds_count", "app", "0_0"] == 3
    assert found["millstream_store_rows", "app", "0_0", "counts"] == 4
    assert (found["millstream_task_running", "app", "0_0"], found["millstream_task_running", "app", "0_1"]) == (1, 0)


def test_standby_copies_are_told_by_their_tasks():
    found = samples(STATUS)
    assert found["millstream_standbys", "app"] == 2
    assert found["millstream_standby_lag", "app", "0_2"] == 6
    assert ("millstream_standby_lag", "app", "0_3") not in found
    assert found["millstream_standby_records_total", "app", "0_2"] == 40


def test_a_lag_that_is_not_known_is_not_told():
    found = samples(STATUS)
    assert found["millstream_task_lag", "app", "0_0"] == 7
    assert ("millstream_task_lag", "app", "0_1") not in found


def test_every_metric_that_is_declared_is_told_under_its_name():
    names = {key[0] for key in samples(STATUS)}
    declared = {each.name for each in (*WORKER, *TASK, *STANDBY)} | {
        LATENCY[0] + "_sum",
        LATENCY[0] + "_count",
        STORE_ROWS[0],
    }
    assert declared <= names
