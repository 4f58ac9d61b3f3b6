"""What the contenders need besides the project: an environment of their own, and a jar built by Maven."""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from streams.broker.installation import cache_directory, find_java, find_maven, kafka_version

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

_REQUIREMENTS = HERE / "requirements.in"
_LOCK = HERE / "requirements.lock"
_KAFKA_STREAMS = HERE / "kafka-streams"
_LOCK_HEADER = "# Made of requirements.in by `python -m bench.environment --lock`.\n"
_BUILD_SECONDS = 900
_JAVA_HEAP = "1g"


class UnavailableError(Exception):
    """A contender cannot be had on this machine; it is left out, and the results say so."""


def cache() -> Path:
    """Where all that is made lies; git ignores it."""
    directory = cache_directory() / "bench"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def project_python() -> Path:
    """The interpreter of the project, which runs this."""
    return Path(sys.executable)


def contenders_python() -> Path:
    """The interpreter of the contenders' environment."""
    return cache() / "venv" / "bin" / "python"


def ensure_contenders() -> None:
    """Make the contenders' environment; it is made anew when the lock has changed.

    Raises:
        UnavailableError: a package cannot be had for this Python.
    """
    stamp = cache() / "venv" / ".synced"
    wanted = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    uv = _uv()
    print("Installing what bench/requirements.lock names ...", file=sys.stderr, flush=True)
    environment = str(cache() / "venv")
    python = str(contenders_python())
    _run([uv, "venv", "--quiet", "--clear", "--no-python-downloads", "--python", sys.executable, environment])
    _run([uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", str(_LOCK)])
    stamp.write_text(wanted)


def ensure_kafka_streams() -> None:
    """Build the contender in Java, with the Kafka version of the broker.

    Raises:
        UnavailableError: there is no Java or Maven, or the build fails.
    """
    target = cache() / "kafka-streams"
    sources = sorted(path for path in _KAFKA_STREAMS.rglob("*") if path.is_file())
    digest = hashlib.sha256(kafka_version().encode())
    for path in sources:
        digest.update(path.read_bytes())
    stamp = target / ".built"
    if stamp.is_file() and stamp.read_text() == digest.hexdigest():
        return
    print("Building the Kafka Streams contender ...", file=sys.stderr, flush=True)
    try:
        maven, java = find_maven(), find_java()
    except Exception as error:
        raise UnavailableError(f"Kafka Streams: {error}") from error
    _run(
        [
            str(maven),
            "--batch-mode",
            "--quiet",
            f"--file={_KAFKA_STREAMS / 'pom.xml'}",
            f"-Dkafka.version={kafka_version()}",
            f"-Dtarget={target}",
            "package",
        ],
        {"JAVA_HOME": str(java.resolve().parents[1])},
    )
    stamp.write_text(digest.hexdigest())


def kafka_streams_command() -> list[str]:
    """Java with the contender's jars."""
    target = cache() / "kafka-streams"
    return [
        str(find_java()),
        f"-Xmx{_JAVA_HEAP}",
        "-Djava.net.preferIPv4Stack=true",
        "-cp",
        f"{target / 'contender.jar'}{os.pathsep}{target / 'libraries'}/*",
        "bench.EngineJob",
    ]


def machine() -> dict[str, str]:
    """What the results depend on: processor, memory, system, versions."""
    facts = {
        "processor": _processor(),
        "processors": str(os.cpu_count()),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "kafka": kafka_version(),
        "java": _first_line([str(find_java()), "-version"]),
    }
    for package in ("confluent-kafka", "fastavro", "msgspec", "faust-streaming", "rocksdict"):
        facts[package] = version(package)
    for package in ("quixstreams", "bytewax", "confluent-kafka", "aiokafka"):
        found = locked_version(package)
        if found is not None:
            facts[f"{package} (contenders)"] = found
    return facts


def locked_version(package: str) -> str | None:
    """The version of a package in the contenders' lock."""
    for line in _LOCK.read_text().splitlines():
        if line.startswith(f"{package}=="):
            return line.removeprefix(f"{package}==").split(" ")[0].rstrip("\\").strip()
    return None


def lock() -> None:
    """Write the lock anew."""
    done = subprocess.run(
        [
            _uv(),
            "pip",
            "compile",
            "--universal",
            "--generate-hashes",
            "--python-version=3.11",
            "--no-header",
            "--no-annotate",
            "--no-emit-index-url",
            "--quiet",
            str(_REQUIREMENTS),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    _LOCK.write_text(_LOCK_HEADER + done.stdout)


def _uv() -> str:
    found = shutil.which("uv") or shutil.which("uv", path=str(ROOT / ".uv" / "bin"))
    if found is None:
        raise UnavailableError("uv is not here; `make bench` brings it")
    return found


def _run(command: list[str], variables: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
        timeout=_BUILD_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise UnavailableError(f"{Path(command[0]).name} failed:\n{said}")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _memory() -> str:
    size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{size / 2**30:.0f} GiB"


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()[0]


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", action="store_true", help="write requirements.lock anew")
    if parser.parse_args().lock:
        lock()
    ensure_contenders()
    ensure_kafka_streams()


if __name__ == "__main__":
    _main()
