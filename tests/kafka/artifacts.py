"""Apache Kafka's jars and the Java that runs them: what is missing on this machine, and the class path."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).parents[2] / ".cache"
OLDEST_JAVA = 17
MAVEN_LIMIT_S = 240


class KafkaUnavailableError(Exception):
    """Apache Kafka cannot run on this machine; the message says what is missing."""


def java() -> str:
    """The Java program to run Kafka with: JAVA_HOME's, or the one on the path; it must be 17 or newer."""
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if program is None or not Path(program).exists():
        raise KafkaUnavailableError(f"Apache Kafka needs Java {OLDEST_JAVA} or newer, and there is no java")
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=60, check=False)
    version = re.search(r'version "(\d+)', answer.stderr)
    if version is None or int(version[1]) < OLDEST_JAVA:
        said = (answer.stderr.splitlines() or ["nothing"])[0]
        raise KafkaUnavailableError(f"Apache Kafka needs Java {OLDEST_JAVA} or newer; {program} says: {said}")
    return program


def class_path() -> str:
    """Java's class path for Kafka; the jars are fetched by Maven the first time and then lie in `.cache/`."""
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    jars = CACHE / f"kafka-{digest}"
    if not jars.exists():
        with _locked(CACHE / "kafka.lock"):
            if not jars.exists():
                _copy_jars(jars)
    return str(jars / "*")


def compiled(sources: Path) -> str:
    """Java's class path for the programs in a folder, which use Kafka's jars; compiled when a source has changed."""
    files = sorted(sources.glob("*.java"))
    digest = hashlib.sha256(b"".join([POM.read_bytes(), *(file.read_bytes() for file in files)])).hexdigest()[:12]
    jars, classes = class_path(), CACHE / f"classes-{digest}"
    if not classes.exists():
        with _locked(CACHE / "classes.lock"):
            if not classes.exists():
                _compile(files, jars, classes)
    return f"{classes}{os.pathsep}{jars}"


def _compile(files: Sequence[Path], jars: str, target: Path) -> None:
    home = os.environ.get("JAVA_HOME")
    compiler = str(Path(home, "bin", "javac")) if home else shutil.which("javac")
    if compiler is None or not Path(compiler).exists():
        raise KafkaUnavailableError("a Java program of the tests must be compiled, and there is no javac")
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [compiler, "-Xlint:all,-path,-classfile", "-Werror", "-cp", jars, "-d", str(partial), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MAVEN_LIMIT_S, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"javac ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    partial.rename(target)


def _copy_jars(target: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError("Apache Kafka's jars come through Maven, and there is no mvn")
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={partial}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MAVEN_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as late:
        raise KafkaUnavailableError(f"Maven had not fetched Apache Kafka after {MAVEN_LIMIT_S} s") from late
    if done.returncode != 0:
        raise KafkaUnavailableError(f"Maven could not fetch Apache Kafka:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    partial.rename(target)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
