from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from confluent_kafka import Producer

from millstream.client.librdkafka import LibrdkafkaClient
from millstream.client.librdkafka import columns as module
from millstream.client.librdkafka.columns import ColumnReader, build_with_columns
from millstream.client.librdkafka.messages import MessageReader
from millstream.errors import ConfigError, KafkaError
from millstream.model import OutBatch, TopicPartition
from tests.client.test_data_consumer import read, rows, write
from tests.client.until import until

pytestmark = pytest.mark.compiled
NOBODY = "127.0.0.1:1"


def reader_of(consumer):
    return type(consumer._reader)


def test_consumers_are_read_by_columns():
    consumer = LibrdkafkaClient(NOBODY).data_consumer("test")
    assert reader_of(consumer) is ColumnReader
    consumer.close()


@pytest.mark.parametrize("callback", [{"stats_cb": print, "statistics.interval.ms": 1000}, {"throttle_cb": print}])
def test_callbacks_of_the_users_are_left_to_confluent_kafka(callback):
    consumer = LibrdkafkaClient(NOBODY, consumer=callback).data_consumer("test")
    assert reader_of(consumer) is MessageReader
    failures = until(lambda: consumer.poll(max_records=10, timeout_ms=50).failures)
    assert any(word in str(failures[0].error) for word in ("refused", "down"))  # its own error callback is still made
    consumer.close()


def test_a_callback_of_the_users_is_made(bootstrap, new_topic):
    told = []
    settings = {"stats_cb": told.append, "statistics.interval.ms": 50}
    consumer = LibrdkafkaClient(bootstrap, consumer=settings).data_consumer("test")
    consumer.assign({TopicPartition(new_topic(), 0): 0})
    until(lambda: consumer.poll(max_records=10, timeout_ms=50) and told)
    consumer.close()


def test_without_the_compiled_module_there_are_messages(monkeypatch):
    monkeypatch.setattr(module, "PLUGIN", None)
    consumer = LibrdkafkaClient(NOBODY).data_consumer("test")
    assert reader_of(consumer) is MessageReader
    consumer.close()


def test_errors_and_logs_of_a_consumer_are_told(caplog):
    caplog.set_level(logging.DEBUG, "millstream.librdkafka")
    consumer = LibrdkafkaClient(NOBODY, consumer={"debug": "broker"}).data_consumer("test")
    (first, *_) = until(lambda: consumer.poll(max_records=10, timeout_ms=50).failures)
    consumer.close()
    assert first.source is None
    assert "refused" in str(first.error) or "down" in str(first.error)
    assert first.error.retriable
    assert any("127.0.0.1:1" in record.message for record in caplog.records)


def test_a_plugin_of_the_users_is_loaded_too():
    with pytest.raises(ConfigError, match="no-such-plugin"):
        build_with_columns(Producer, {"plugin.library.paths": "no-such-plugin"})


def test_clients_that_live_at_once_are_not_mixed_up(bootstrap, new_topic):
    client = LibrdkafkaClient(bootstrap)
    sources = [TopicPartition(new_topic(), 0) for _ in range(3)]
    consumers = [client.data_consumer("test") for _ in sources]
    for number, (consumer, source) in enumerate(zip(consumers, sources, strict=True)):
        write(client, rows(source, b"%d" % number))
        consumer.assign({source: 0})
    for number, consumer in enumerate(consumers):
        (batch,), _ = read(consumer, 1)
        assert (batch.source, batch.values) == (sources[number], [b"%d" % number])
        consumer.close()


def test_a_closed_client_holds_nothing_and_says_so():
    consumer = LibrdkafkaClient(NOBODY).data_consumer("test")
    columns = consumer._reader._client
    consumer.close()
    with pytest.raises(RuntimeError, match="closed"):
        columns.read(1, 0)
    with pytest.raises(RuntimeError, match="closed"):
        columns.produce("t", 0, 0, 1, [1], [None], [None], None)
    assert columns.notices() is None
    columns.close()


@pytest.mark.parametrize(
    "columns",
    [
        ([1, 2], [None], [None, None], None),
        (["1"], [None], [None], None),
        ([1], ["text"], [None], None),
        ([1], [None], [1], None),
        ([1], [None], [None], [[("h", b"")]]),
        ([1], [None], [None], [(("h",),)]),
    ],
)
def test_columns_that_are_none_are_refused(columns):
    producer = LibrdkafkaClient(NOBODY).producer()
    with pytest.raises((TypeError, IndexError, SystemError)):
        producer._writer._client.produce("t", 0, 0, len(columns[0]), *columns)
    producer.close()


def test_a_topic_that_cannot_be_is_an_error_that_names_it():
    producer = LibrdkafkaClient(NOBODY).producer()
    with pytest.raises(KafkaError, match=r"writing to x{600}-0: topic x{600}: .*[Ii]nvalid"):
        producer.produce(OutBatch(TopicPartition("x" * 600, 0), [1], [None], [b""]))
        until(lambda: producer.poll(timeout_ms=10).held == 0)
    producer.close()


def test_a_closed_producer_says_so():
    producer = LibrdkafkaClient(NOBODY).producer()
    producer.close()
    with pytest.raises(KafkaError, match="writing"):
        producer.produce(OutBatch(TopicPartition("t", 0), [1], [None], [b""]))


def test_what_is_attached_to_is_confluent_kafkas():
    assert module._columns.attached(SimpleNamespace()) is None


def test_rows_keep_their_headers_and_timestamps(client, new_topic):
    source = TopicPartition(new_topic(), 0)
    headers = [(), (("a", b"\0"), ("ü", None), ("", b"")), ()]
    write(client, OutBatch(source, [0, -1, 2**40], [b"", b"\0", None], [None, b"", b"\0"], headers))
    consumer = client.data_consumer("test")
    consumer.assign({source: 0})
    (batch,), _ = read(consumer, 3)
    consumer.close()
    assert batch.timestamps[0] == 1
    assert batch.timestamps[1] > 1_700_000_000_000  # the time of sending
    assert batch.timestamps[2] == 2**40
    assert [list(own) for own in batch.headers] == [list(own) for own in headers]
