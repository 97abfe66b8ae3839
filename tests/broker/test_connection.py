"""What strangers send to the port: rubbish ends a connection, never the broker; order and patience are kept."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from datetime import timedelta

import pytest
from confluent_kafka import Producer
from kio.schema.errors import ErrorCode

from millstream.broker import EmbeddedBroker
from millstream.broker.protocol import apis
from tests.broker.conftest import PATIENCE_S
from tests.broker.core import frame, nested, request_type


def connect(broker: EmbeddedBroker) -> socket.socket:
    host, _, port = broker.bootstrap.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE_S)


def framed(raw: bytes) -> bytes:
    return struct.pack(">i", len(raw)) + raw


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Correlation id and body of the next answer."""
    size = int.from_bytes(read_exactly(connection, 4), "big")
    raw = read_exactly(connection, size)
    return int.from_bytes(raw[:4], "big"), raw[4:]


def read_exactly(connection: socket.socket, size: int) -> bytes:
    raw = b""
    while len(raw) < size:
        part = connection.recv(size - len(raw))
        assert part, "the connection was closed"
        raw += part
    return raw


def api_versions(correlation_id: int, version: int = 0) -> bytes:
    return framed(struct.pack(">hhih", apis.API_VERSIONS, version, correlation_id, -1))


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "rubbish",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">i", -1),
        struct.pack(">i", 0),
        struct.pack(">i", 200 * 1024 * 1024),
        framed(b"\0"),
        framed(struct.pack(">hhih", 0, 99, 1, -1)),
        framed(struct.pack(">hhih", 999, 0, 1, -1)),
        framed(struct.pack(">hhih", apis.METADATA, 1, 1, -1) + b"\x7f\xff\xff\xff"),
        framed(os.urandom(3000)),
    ],
)
def test_rubbish_ends_the_connection_only(broker: EmbeddedBroker, rubbish: bytes) -> None:
    with connect(broker) as stranger:
        stranger.sendall(rubbish)
        assert is_closed(stranger)
    with connect(broker) as friend:
        friend.sendall(api_versions(5))
        assert read_answer(friend)[0] == 5


def test_an_unknown_version_of_api_versions_is_answered_in_version_0(broker: EmbeddedBroker) -> None:
    with connect(broker) as client:
        client.sendall(api_versions(9, version=77))
        correlation_id, body = read_answer(client)
        assert correlation_id == 9
        error, count, key, low, high = struct.unpack(">hihhh", body)
        assert (error, count, key, low, high) == (ErrorCode.unsupported_version, 1, apis.API_VERSIONS, 0, 4)


def test_requests_in_pieces_and_in_heaps_are_answered_in_order(broker: EmbeddedBroker) -> None:
    with connect(broker) as client:
        heap = b"".join(api_versions(index) for index in range(1000))
        client.sendall(heap[:3])
        client.sendall(heap[3:777])
        client.sendall(heap[777:])
        assert [read_answer(client)[0] for _ in range(1000)] == list(range(1000))


def test_a_request_larger_than_the_buffer(broker: EmbeddedBroker) -> None:
    with connect(broker) as client:
        topic = nested(apis.METADATA, 4, "MetadataRequestTopic")
        names = tuple(topic(name="x" * 240 + str(index)) for index in range(4000))
        message = request_type(apis.METADATA, 4)(topics=names, allow_auto_topic_creation=False)
        client.sendall(framed(frame(apis.METADATA, 4, message)) + api_versions(6))
        assert read_answer(client)[0] == 77
        assert read_answer(client)[0] == 6


def test_a_waiting_fetch_holds_up_its_own_connection_only(broker: EmbeddedBroker, name: str) -> None:
    with connect(broker) as patient, connect(broker) as hasty:
        topic = nested(apis.METADATA, 4, "MetadataRequestTopic")
        metadata = request_type(apis.METADATA, 4)(topics=(topic(name=name),), allow_auto_topic_creation=True)
        patient.sendall(framed(frame(apis.METADATA, 4, metadata)))
        read_answer(patient)
        patient.sendall(framed(frame(apis.FETCH, 12, fetch(name, wait=timedelta(milliseconds=300)))) + api_versions(8))
        hasty.sendall(api_versions(7))
        assert read_answer(hasty)[0] == 7
        assert [read_answer(patient)[0], read_answer(patient)[0]] == [77, 8]


def test_a_client_that_goes_while_it_waits(broker: EmbeddedBroker, name: str) -> None:
    with connect(broker) as client:
        client.sendall(framed(frame(apis.FETCH, 12, fetch(name, wait=timedelta(milliseconds=50)))))
    with connect(broker) as friend:
        friend.sendall(api_versions(5))
        assert read_answer(friend)[0] == 5


def test_clients_that_take_no_answers_fill_no_memory(broker: EmbeddedBroker, name: str) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "batch.size": 1_000_000, "linger.ms": 100})
    for _ in range(400):
        producer.produce(name, bytes(100_000))
        producer.poll(0)
    producer.flush()
    with contextlib.ExitStack() as stack:
        strangers = [stack.enter_context(connect(broker)) for _ in range(15)]
        sizes = []
        for stranger in strangers:
            request = fetch(name, timedelta(0), 50_000_000)
            stranger.sendall(framed(frame(apis.FETCH, 12, request)))
            sizes.append(int.from_bytes(read_exactly(stranger, 4), "big"))
        assert sizes[0] > 30_000_000
        assert sizes[-1] < sizes[0] / 2, "256 MiB are what clients may leave untaken"
    with connect(broker) as friend:
        friend.sendall(framed(frame(apis.FETCH, 12, fetch(name, timedelta(0), 50_000_000))))
        assert int.from_bytes(read_exactly(friend, 4), "big") == sizes[0], "those that have gone leave nothing"


def fetch(name: str, wait: timedelta, size: int = 1000) -> object:
    partition = nested(apis.FETCH, 12, "FetchPartition")(partition=0, fetch_offset=0, partition_max_bytes=size)
    topic = nested(apis.FETCH, 12, "FetchTopic")(topic=name, partitions=(partition,))
    fields = {"max_wait": wait, "min_bytes": 1, "topics": (topic,), "forgotten_topics_data": ()}
    return request_type(apis.FETCH, 12)(**fields)
