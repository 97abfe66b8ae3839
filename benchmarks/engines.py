"""The engines, as commands that run a workload."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from tests.kafka.artifacts import CACHE, KafkaUnavailableError, java

from benchmarks.others import OTHERS, OtherName
from benchmarks.workloads import Workload

Engine: TypeAlias = Literal["Kafka Streams", "Millstream"] | OtherName
ENGINES: tuple[Engine, ...] = ("Kafka Streams", "Millstream")  # those that are compared unless more are asked for
# "throughput": large batches that linger. "latency": no linger, and else the engine's defaults.
Tuning = Literal["throughput", "latency"]

SOURCES = Path(__file__).parent / "java"
BUILT = CACHE / "benchmarks"
MAVEN_LIMIT_S = 300
EXACTLY_ONCE_COMMIT_MS = 100  # both engines' default; a transaction may not be open for as long as other commits wait

# -Xmx as a small service would have; otherwise Java's defaults, which compile with C2.
JVM_OPTIONS = ("-Xmx1g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one workload on one engine: its application and where that writes."""

    engine: Engine
    workload: Workload
    number: int
    bootstrap: str
    folder: Path
    commit_ms: int
    tuning: Tuning = "throughput"

    @property
    def application_id(self) -> str:
        return f"{self.workload.name}-{self.engine.replace(' ', '-')}-{self.number}".lower()

    @property
    def output(self) -> str:
        return f"{self.application_id}-output"

    def command(self) -> list[str]:
        arguments = [self.workload.name, self.bootstrap, self.application_id, self.workload.load.topic, self.output]
        commit_ms = min(self.commit_ms, EXACTLY_ONCE_COMMIT_MS) if self.workload.exactly_once else self.commit_ms
        arguments += [str(self.folder / "state"), str(commit_ms)]
        for other in OTHERS.values():
            if other.name == self.engine:
                return other.command(arguments)
        arguments.append(self.tuning)
        if self.engine == "Millstream":
            return [sys.executable, "-m", "benchmarks.programs", *arguments]
        return [java(), *JVM_OPTIONS, "-cp", str(BUILT / "lib" / "*"), "millstream.Main", *arguments]


def build() -> None:
    """Make the Kafka Streams program, unless it is newer than its sources."""
    made = BUILT / "lib" / "kafka-streams-benchmarks-1.jar"
    sources = [path for path in SOURCES.rglob("*") if path.is_file()]
    if made.exists() and made.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError("the Kafka Streams program is built by Maven, and there is no mvn")
    command = [maven, "-q", "-B", "-f", str(SOURCES / "pom.xml"), "package", f"-Dto={BUILT}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MAVEN_LIMIT_S, check=False)
    if done.returncode != 0:
        raise KafkaUnavailableError(f"Maven could not build the Kafka Streams program:\n{done.stdout[-3000:]}")
    made.touch()
