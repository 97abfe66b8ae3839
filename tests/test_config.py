from __future__ import annotations

from datetime import timedelta

import pytest

from millstream.config import Settings, documented
from millstream.errors import ConfigError


def test_durations_may_be_written_in_any_form():
    settings = Settings.of("app", commit_interval="5s", round_time=20, give_up_after=timedelta(minutes=1))
    assert (settings.commit_interval_ms, settings.round_time_ms, settings.give_up_after_ms) == (5_000, 20, 60_000)
    assert Settings.of("app", wait_for_inputs=None).wait_for_inputs_ms is None


def test_sizes_may_be_written_in_any_form():
    settings = Settings.of("app", cache="10MB", rocksdb_memory=5_000)
    assert (settings.cache, settings.rocksdb_memory) == (10_000_000, 5_000)
    assert Settings.of("app", cache=0).cache == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"comit_interval": "1s"}, "did you mean 'commit_interval'"),
        ({"commit_interval": "soon"}, "commit_interval: 'soon' is not a duration"),
        ({"commit_interval": 0}, "commit_interval=0: it must be above 0"),
        ({"emit": "sometimes"}, "emit='sometimes'"),
        ({"buffer_records": 0}, "buffer_records=0"),
        ({"store": "disk"}, 'store=\'disk\': give "memory" or "rocksdb"'),
        ({"cache": "10 megs"}, "cache: '10 megs' is not a size; write it like"),
        ({"cache": -1}, "cache: -1 is not a size"),
    ],
)
def test_what_makes_no_sense_is_named(given, message):
    with pytest.raises(ConfigError, match=message):
        Settings.of("app", **given)


@pytest.mark.parametrize("name", ["", "a/b", "ä", "x" * 201])
def test_an_application_id_must_do_for_topics(name):
    with pytest.raises(ConfigError, match="application_id"):
        Settings.of(name)


def test_secrets_are_not_shown():
    settings = Settings.of("app", kafka={"sasl.password": "hunter2"}, consumer={"x": "hunter2"})
    assert "hunter2" not in repr(settings)


def test_every_setting_is_documented():
    for name, _, doc, env in documented():
        assert doc.endswith("."), name
        assert not name.endswith("_ms")
        assert env is None or env.removesuffix("_*") == f"MILLSTREAM_{name.upper()}"
