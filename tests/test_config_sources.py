"""Settings from the file and the environment, over those of the code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from millstream.app import App
from millstream.config import Settings, documented
from millstream.config_sources import from_environment, from_file, variable, with_sources
from millstream.errors import ConfigError


def settings(given=None, environment=None, folder: Path | None = None) -> Settings:
    return Settings.of("app", **with_sources(given or {}, environment or {}, folder or Path("nowhere")))


def test_the_environment_wins_over_the_file_and_the_file_over_the_code(tmp_path):
    (tmp_path / "millstream.toml").write_text('commit_interval = "2s"\nstore = "rocksdb"\n')
    found = settings(
        {"commit_interval": "1s", "emit": "every", "store": "memory"}, {"MILLSTREAM_COMMIT_INTERVAL": "3s"}, tmp_path
    )
    assert (found.commit_interval_ms, found.store, found.emit) == (3_000, "rocksdb", "every")


def test_properties_of_kafka_are_put_together_one_by_one(tmp_path):
    (tmp_path / "millstream.toml").write_text('[kafka]\nsasl.username = "file"\nsasl.password = "a"\nlog_level = 3\n')
    found = settings({"kafka": {"client.id": "code"}}, {"MILLSTREAM_KAFKA_SASL_PASSWORD": "b=c"}, tmp_path)
    assert found.kafka == {"client.id": "code", "sasl.username": "file", "sasl.password": "b=c", "log_level": "3"}


def test_texts_become_what_the_setting_is():
    found = settings(
        environment={
            "MILLSTREAM_BUFFER_RECORDS": "5",
            "MILLSTREAM_CACHE": "10MB",
            "MILLSTREAM_ROUND_TIME": "20",
            "MILLSTREAM_REQUIRE_NAMES": "true",
            "MILLSTREAM_STATE_DIR": "/data",
            "MILLSTREAM_WAIT_FOR_INPUTS": "none",
            "MILLSTREAM_TOPIC_RETENTION_MS": "1000",
        }
    )
    assert (found.buffer_records, found.cache, found.round_time_ms) == (5, 10_000_000, 20)
    assert (found.require_names, found.state_dir, found.wait_for_inputs_ms) == (True, Path("/data"), None)
    assert found.topic == {"retention.ms": "1000"}


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"MILLSTREAM_COMIT_INTERVAL": "1s"}, "MILLSTREAM_COMIT_INTERVAL.*did you mean MILLSTREAM_COMMIT_INTERVAL"),
        ({"MILLSTREAM_APPLICATION_ID": "x"}, "MILLSTREAM_APPLICATION_ID: there is no such setting"),
        ({"MILLSTREAM_BUFFER_RECORDS": "many"}, "MILLSTREAM_BUFFER_RECORDS: give a whole number"),
        ({"MILLSTREAM_REQUIRE_NAMES": "maybe"}, "MILLSTREAM_REQUIRE_NAMES: give true or false"),
        ({"MILLSTREAM_COMMIT_INTERVAL": "soon"}, "commit_interval: 'soon' is not a duration"),
        ({"MILLSTREAM_EMIT": "sometimes"}, "emit='sometimes'"),
        ({"MILLSTREAM_KAFKA": "secret"}, "MILLSTREAM_KAFKA: there is no such setting"),
        ({"MILLSTREAM_CONFIG": "gone.toml"}, "there is no file 'gone.toml'"),
    ],
)
def test_what_makes_no_sense_in_the_environment_is_named(environment, message):
    with pytest.raises(ConfigError, match=message) as raised:
        settings(environment=environment)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('comit_interval = "1s"', "comit_interval: there is no such setting; did you mean commit_interval"),
        ('buffer_records = "many"', "buffer_records='many' is not of a type"),
        ("require_names = 1", "require_names=1 is not of a type"),
        ('kafka = "hunter2"', "kafka is a table"),
        ("kafka = [", "cannot be read"),
    ],
)
def test_what_makes_no_sense_in_the_file_is_named_without_secrets(tmp_path, text, message):
    path = tmp_path / "millstream.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as raised:
        from_file(path)
    assert "millstream.toml" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_what_kubernetes_tells_of_a_service_is_no_setting():
    links = ("SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_80_TCP_ADDR", "COUNTS_SERVICE_HOST", "COUNTS_PORT_80_TCP")
    assert from_environment({f"MILLSTREAM_{link}": "x" for link in links}) == {}


def test_every_variable_that_is_documented_is_read():
    for name, default, _, env in documented():
        if env is None or default is None or isinstance(default, bool):
            continue
        if env.endswith("_*"):
            assert from_environment({env.replace("*", "A_B"): "1"}) == {name: {"a.b": "1"}}
        else:
            assert Settings.of("app", **from_environment({env: str(default)})) == Settings(application_id="app")


def test_a_program_reads_the_file_beside_it_and_its_environment(tmp_path, monkeypatch):
    (tmp_path / "millstream.toml").write_text('emit = "every"\n')
    monkeypatch.setenv("MILLSTREAM_BUFFER_RECORDS", "7")
    program = tmp_path / "program.py"
    space: dict[str, App] = {"App": App}
    exec(compile('app = App("words")', str(program), "exec"), space)
    assert (space["app"].settings.emit, space["app"].settings.buffer_records) == ("every", 7)
    monkeypatch.setenv("MILLSTREAM_CONFIG", os.devnull + "/none")
    with pytest.raises(ConfigError, match="there is no file"):
        App("words")


def test_a_setting_on_the_command_line_is_checked_by_name():
    with pytest.raises(ConfigError, match=r"--set comit_interval.*did you mean commit_interval"):
        variable("comit_interval=1s")
    with pytest.raises(ConfigError, match="NAME=VALUE"):
        variable("commit_interval")
