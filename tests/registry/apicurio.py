"""A real schema registry: Apicurio, which speaks Confluent's protocol beside its own, in memory."""

import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.broker.installation import cache_directory, find_java, find_maven
from streams.broker.process import HOST, exclusive, free_port

VERSION = "2.6.13.Final"
_ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_START_SECONDS = 120.0


@contextmanager
def apicurio(log: Path) -> Iterator[str]:
    """Run one; gives the address at which it speaks Confluent's protocol."""
    java = find_java()
    jar = _installed(java)
    port = free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                str(java),
                "-Xmx256m",
                f"-Dquarkus.http.host={HOST}",
                f"-Dquarkus.http.port={port}",
                "-jar",
                str(jar),
            ],
            cwd=jar.parent,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://{HOST}:{port}/apis/ccompat/v7"
        _wait_until_it_answers(process, url, log)
        yield url
    finally:
        process.kill()
        process.wait(10)


def _wait_until_it_answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/subjects", timeout=5).close()
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, f"no answer at {url}:\n{log.read_text(errors='replace')}"
            time.sleep(0.2)
        else:
            return


def _installed(java: Path) -> Path:
    """The jar that runs it, fetched by Maven the first time."""
    home = cache_directory() / "apicurio" / VERSION
    home.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(home.parent / "lock"):
        if not home.is_dir():
            unfinished = Path(tempfile.mkdtemp(prefix=f".{VERSION}-", dir=home.parent))
            try:
                _fetch(java, unfinished)
                unfinished.rename(home)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    (jar,) = home.rglob("*-runner.jar")
    return jar


def _fetch(java: Path, target: Path) -> None:
    done = subprocess.run(
        [
            str(find_maven()),
            "--batch-mode",
            "--quiet",
            _COPY,
            f"-Dartifact={_ARTIFACT}",
            f"-DoutputDirectory={target}",
        ],
        env={**os.environ, "JAVA_HOME": str(java.resolve().parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = target.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(target, filter="data")
    archive.unlink()
