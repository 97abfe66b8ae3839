"""Apache Kafka for tests: one KRaft node (broker and controller) on loopback, with a folder of its own.

`python -m tests.kafka.apache` runs one until it is interrupted and prints its address.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.kafka.artifacts import class_path, java
from tests.ports import free_port

START_LIMIT_S = 90
STOP_LIMIT_S = 30
PORT_TRIES = 5

# C1 code and the serial collector: a node that lives for seconds spends them on starting, not on throughput.
JVM_OPTIONS = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)

# Replication of one and few partitions, because there is one node; no retention by age, because tests write timestamps
# of any year; a killed node's session ends soon, because the controller takes no new registration of it before;
# members of groups beat often and timed-out transactions are looked for often, because tests wait for them.
# Everything else is Kafka's default.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=16777216
auto.create.topics.enable=true
num.partitions=1
num.network.threads=2
num.io.threads=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=500
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""


class ApacheKafka:
    """One node. It keeps its address and its data over `stop`, `kill` and `start`; `close` removes the data.

    As a context manager it is started on entry and closed on exit. Every call returns within its limit or raises.
    """

    def __init__(self, *, jvm_options: Sequence[str] = JVM_OPTIONS, run_by: Sequence[str] = ()) -> None:
        """`run_by` is a program, with its arguments, that runs the node: `taskset -c 1`, say."""
        self._java = java()
        self._jvm_options = jvm_options
        self._run_by = run_by
        self._class_path = class_path()
        self._folder = Path(tempfile.mkdtemp(prefix="millstream-kafka-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def bootstrap(self) -> str:
        """What clients take as `bootstrap.servers`."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The running node's process."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What the node has said so far: warnings and errors."""
        path = self._folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Run the node and return when it serves clients; the first start formats its storage."""
        if self._port:
            self._launch()
            return
        for last in [False] * (PORT_TRIES - 1) + [True]:
            self._format()
            try:
                self._launch()
            except RuntimeError:
                if last or "BindException" not in self.log:
                    raise
            else:
                return

    def stop(self) -> None:
        """End the node in good order (SIGTERM); by force if that takes longer than its limit."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the node at once (SIGKILL), as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self, *, kill: bool = False) -> None:
        """Stop (or kill) the node and start it again at the same address with the same data."""
        self._end(signal.SIGKILL if kill else signal.SIGTERM)
        self.start()

    def close(self) -> None:
        """End the node, if it runs, and remove its folder."""
        self._end(signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> ApacheKafka:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _format(self) -> None:
        (self._folder / "log").unlink(missing_ok=True)
        data = self._folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        self._port = free_port()
        settings = self._folder / "server.properties"
        settings.write_text(PROPERTIES.format(broker=self._port, controller=free_port(), data=data))
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = self._command("kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", str(settings))
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_LIMIT_S, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"Kafka's StorageTool ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def _launch(self) -> None:
        if self._process is not None:
            raise RuntimeError(f"the node at {self.bootstrap} runs already")
        command = self._command("kafka.Kafka", str(self._folder / "server.properties"))
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "KILL", *command]  # a test run that is killed leaves no node behind
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.kill()
            raise

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        admin = AdminClient(
            {"bootstrap.servers": self.bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200},
        )
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"Apache Kafka ended with {process.returncode} while starting:\n{self.log[-4000:]}")
            try:
                if admin.list_topics(timeout=0.5).brokers:
                    return
            except KafkaException:
                continue
        raise RuntimeError(f"Apache Kafka did not serve {self.bootstrap} in {START_LIMIT_S} s:\n{self.log[-4000:]}")

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_LIMIT_S)

    def _command(self, main: str, *arguments: str) -> list[str]:
        jvm = [self._java, *self._jvm_options, f"-Djava.io.tmpdir={self._folder}"]
        return [*self._run_by, *jvm, "-cp", self._class_path, main, *arguments]


if __name__ == "__main__":
    with ApacheKafka() as node:
        print(node.bootstrap, flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
