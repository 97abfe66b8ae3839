"""Kafka Streams itself as the oracle: builds the program in `java/` once, and asks it for the answers to cases."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from tests.kafka.artifacts import CACHE, MAVEN_LIMIT_S, KafkaUnavailableError, java

Case = dict[str, Any]
Answer = dict[str, Any]

SOURCES = Path(__file__).with_name("java")


class KafkaStreams:
    """Kafka Streams in a process of its own, for as long as it is needed."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="oracle-")
        command = [java(), *_OPTIONS, "-cp", f"{built()}/*", "oracle.Main", self._folder.name]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1
        )

    def answer(self, case: Case) -> Answer:
        """What Kafka Streams' own test driver gives for a case.

        It has `outputs`, `stores`, `topics` (bytes in hex, internal topics too) and `describe`; or `error`, with the
        outputs before it; `failure` says that the oracle itself could not run the case.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(case)}\n")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the oracle ended with {self._process.wait()} at {case['name']}")
        return cast("Answer", json.loads(line))

    def __enter__(self) -> KafkaStreams:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()


_OPTIONS = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xmx768m",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=off",
)


def built() -> Path:
    """The folder of the oracle's jars; Maven makes it the first time."""
    digest = hashlib.sha256()
    for path in sorted([SOURCES / "pom.xml", *SOURCES.rglob("*.java")]):
        digest.update(path.read_bytes())
    target = CACHE / f"oracle-{digest.hexdigest()[:12]}"
    if not target.exists():
        with _locked(CACHE / "oracle.lock"):
            if not target.exists():
                _build(target)
    return target / "lib"


def _build(target: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError("the oracle is built by Maven, and there is no mvn")
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", str(SOURCES / "pom.xml"), "package", f"-Dto={partial}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MAVEN_LIMIT_S, check=False)
    if done.returncode != 0:
        raise KafkaUnavailableError(f"Maven could not build the oracle:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    partial.rename(target)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
