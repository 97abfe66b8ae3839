"""A broker that asks for logins, or for certificates, with clients of others."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
import trustme
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from millstream.app import App
from millstream.broker.__main__ import main
from tests.broker.conftest import PATIENCE_S, consume, wait_until

QUIET = {"log_level": 0, "reconnect.backoff.max.ms": 100}


@contextmanager
def broker(*options: str) -> Iterator[str]:
    """A broker's address."""
    command = [sys.executable, "-m", "millstream.broker", "--listen", "127.0.0.1:0", "--memory", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("millstream broker ready on "), line
        try:
            yield line.split()[4]
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def address(bootstrap: str) -> tuple[str, int]:
    host, _, port = bootstrap.rpartition(":")
    return host, int(port)


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("accounts") / "accounts.toml"
    file.write_text('ann = "secret"\n')
    return file


@pytest.fixture(scope="module")
def closed(accounts: Path) -> Iterator[str]:
    with broker("--accounts", str(accounts)) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files: an authority, the broker's certificate and a client's of it, and a stranger's."""
    folder = tmp_path_factory.mktemp("certificates")
    ours, others = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(str(folder / "ca"))
    for name, issued in (("broker", ours), ("client", ours), ("stranger", others)):
        issued.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / name))
    return {path.name: str(path) for path in folder.iterdir()}


def login(bootstrap: str, mechanism: str, password: str = "secret", **more: object) -> dict[str, object]:
    return {
        "bootstrap.servers": bootstrap,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": mechanism,
        "sasl.username": "ann",
        "sasl.password": password,
        **QUIET,
        **more,
    }


def goes_round(config: dict[str, object], topic: str) -> None:
    """What is written is read."""
    producer = Producer(config)
    producer.produce(topic, b"v")
    assert producer.flush(PATIENCE_S) == 0
    consumer = Consumer({**config, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    assert [message.value() for message in consume(consumer, 1)] == [b"v"]
    consumer.close()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_librdkafka_logs_in(closed: str, mechanism: str) -> None:
    goes_round(login(closed, mechanism), mechanism)


def refusal(config: dict[str, object]) -> str:
    """Why a client gets nowhere."""
    reasons: list[str] = []
    admin = AdminClient({**config, "error_cb": lambda error: reasons.append(str(error))})
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=1)
    wait_until(lambda: bool(reasons), lambda: admin.poll(0.05))
    return " ".join(reasons)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_wrong_password_is_told(closed: str, mechanism: str) -> None:
    assert "wrong name or password" in refusal(login(closed, mechanism, "guess"))


def test_whoever_does_not_log_in_gets_nothing(closed: str) -> None:
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": closed, **QUIET}).list_topics(timeout=1)


def test_whoever_has_not_logged_in_may_send_little(closed: str) -> None:
    with socket.create_connection(address(closed), timeout=PATIENCE_S) as stranger:
        stranger.sendall((524_289).to_bytes(4, "big"))
        assert stranger.recv(1) == b"", "what is announced is enough: it is not read"
    with socket.create_connection(address(closed), timeout=PATIENCE_S) as stranger:
        stranger.sendall((524_288).to_bytes(4, "big"))
        stranger.settimeout(0.3)
        with pytest.raises(TimeoutError):
            stranger.recv(1)


def test_mechanisms_can_be_chosen(accounts: Path) -> None:
    with broker("--accounts", str(accounts), "--sasl", "SCRAM-SHA-512") as bootstrap:
        assert "SCRAM-SHA-512" in refusal(login(bootstrap, "PLAIN"))
        goes_round(login(bootstrap, "SCRAM-SHA-512"), "t")


def test_a_program_logs_in_with_librdkafkas_properties(closed: str, tmp_path: Path) -> None:
    config = login(closed, "SCRAM-SHA-256")
    producer = Producer(config)
    for topic in ("in", "out"):
        producer.produce(topic, b"1")
    producer.flush(PATIENCE_S)
    given = {name: value for name, value in config.items() if name != "bootstrap.servers"}
    app = App("secured", bootstrap_servers=closed, kafka=given, state_dir=tmp_path)
    stop = Event()
    app.stream("in", value=str).peek(lambda _: stop.set()).to("out")
    app.run(stop)
    consumer = Consumer({**config, "group.id": "check", "auto.offset.reset": "earliest"})
    consumer.subscribe(["out"])
    assert len(consume(consumer, 2)) == 2
    consumer.close()


def test_who_is_silent_before_the_login_is_let_go(accounts: Path) -> None:
    with (
        broker("--accounts", str(accounts), "--override", "login.timeout.ms=200") as bootstrap,
        socket.create_connection(address(bootstrap), timeout=PATIENCE_S) as silent,
    ):
        assert silent.recv(1) == b""


def test_tls(certificates: dict[str, str]) -> None:
    ours = ("--tls-cert", certificates["broker"], "--tls-key", certificates["broker"])
    with broker(*ours) as bootstrap:
        encrypted = {"bootstrap.servers": bootstrap, "security.protocol": "SSL", **QUIET}
        goes_round({**encrypted, "ssl.ca.location": certificates["ca"]}, "t")
        assert "certificate" in refusal(encrypted), "a client that doesn't know the authority"
        with pytest.raises(KafkaException):
            AdminClient({"bootstrap.servers": bootstrap, **QUIET}).list_topics(timeout=1)


def test_tls_with_clients_certificates_and_logins(certificates: dict[str, str], accounts: Path) -> None:
    ours = ("--tls-cert", certificates["broker"], "--tls-key", certificates["broker"])
    with broker(*ours, "--tls-client-ca", certificates["ca"], "--accounts", str(accounts)) as bootstrap:
        config = login(bootstrap, "PLAIN", **{"ssl.ca.location": certificates["ca"], "security.protocol": "SASL_SSL"})
        with pytest.raises(KafkaException):
            AdminClient(config).list_topics(timeout=1)
        for name, admitted in (("client", True), ("stranger", False)):
            with_own = {
                **config,
                "ssl.certificate.location": certificates[name],
                "ssl.key.location": certificates[name],
            }
            if admitted:
                goes_round(with_own, "t")
            else:
                with pytest.raises(KafkaException):
                    AdminClient(with_own).list_topics(timeout=1)


def test_old_tls_is_not_spoken(certificates: dict[str, str]) -> None:
    with broker("--tls-cert", certificates["broker"], "--tls-key", certificates["broker"]) as bootstrap:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(certificates["ca"])
        with (
            socket.create_connection(address(bootstrap)) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as encrypted,
        ):
            assert encrypted.version() in ("TLSv1.2", "TLSv1.3")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tls-cert", "{}"], "--tls-cert and --tls-key belong together"),
        (["--tls-client-ca", "{}"], "--tls-client-ca needs"),
        (["--tls-cert", "{}", "--tls-key", "{}"], "cannot be used"),
        (["--sasl", "GSSAPI"], "--sasl 'GSSAPI': it takes PLAIN"),
        (["--accounts", "{}"], "is no TOML file"),
        (["--override", "max.connections=0"], "max.connections is a number from 1"),
        (["--override", "max.connection=1"], "did you mean 'max.connections'?"),
        (["--override", "log.retention.ms=soon"], "Invalid value soon for configuration retention.ms"),
        (["--override", "auto.create.topics.enable=1"], "is true or false"),
        (["--fsync", "never"], "fsync is os, always"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    (tmp_path / "file").write_text("no certificate")
    given = ["--listen", "127.0.0.1:0", "--memory", *(option.format(tmp_path / "file") for option in options)]
    assert main(given) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_limits_of_connections_and_of_patience(tmp_path: Path) -> None:
    with broker("--override", "max.connections=3", "--override", "connections.max.idle.ms=300") as bootstrap:
        open_ones = [socket.create_connection(address(bootstrap), timeout=PATIENCE_S) for _ in range(3)]
        with socket.create_connection(address(bootstrap), timeout=PATIENCE_S) as one_more:
            assert one_more.recv(1) == b"", "there is no room"
        started = time.monotonic()
        open_ones[0].sendall(b"\0\0\x10\0half a request")
        for each in open_ones:
            with each:
                assert each.recv(1) == b"", "silent ones, and one that does not end its request, are let go"
        assert time.monotonic() - started < PATIENCE_S
        assert AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=PATIENCE_S).brokers


def test_limits_of_topics_and_groups(tmp_path: Path) -> None:

    settings = ("max.topics=2", "max.partitions=4", "max.groups=1", "auto.create.topics.enable=false")
    with broker(*(text for each in settings for text in ("--override", each))) as bootstrap:
        admin = AdminClient({"bootstrap.servers": bootstrap})

        def created(name: str, partitions: int) -> str:
            try:
                admin.create_topics([NewTopic(name, partitions)])[name].result(PATIENCE_S)
            except KafkaException as refused:
                return str(refused.args[0].str())
            return ""

        assert "max.partitions" in created("a", 5)
        assert created("a", 2) == ""
        assert created("b", 2) == ""
        assert "max.topics" in created("c", 1)
        producer = Producer({"bootstrap.servers": bootstrap, "topic.metadata.propagation.max.ms": 100})
        failures: list[str] = []
        producer.produce("never-made", b"v", on_delivery=lambda error, _: failures.append(str(error)))
        producer.flush(PATIENCE_S)
        assert "Unknown topic" in failures[0]
        for group, admitted in (("one", True), ("two", False), ("one", True)):
            consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"})
            try:
                consumer.commit(offsets=[TopicPartition("a", 0, 0)], asynchronous=False)
            except KafkaException as refused:
                assert not admitted
                assert "olicy" in str(refused)
            else:
                assert admitted
            consumer.close()
