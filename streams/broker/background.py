"""A broker that outlives the command that started it, found again by a file in its directory."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from streams.broker import process
from streams.broker.errors import AlreadyRunningError, StartError, StopError
from streams.broker.local import START_TIMEOUT_SECONDS, STOP_TIMEOUT_SECONDS, LocalKafka
from streams.broker.properties import PropertyValue

DEFAULT_PORT = 9092

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Running:
    """A broker in the background.

    Attributes:
        directory: holds its data, properties, log and pid file.
        port: clients' port on 127.0.0.1.
        pid: its process (Docker: the client that runs the container).
    """

    directory: Path
    port: int
    pid: int

    @property
    def bootstrap_servers(self) -> str:
        """What clients are given: "127.0.0.1:PORT"."""
        return f"{process.HOST}:{self.port}"

    @property
    def log_path(self) -> Path:
        """The broker's log."""
        return self.directory / "broker.log"


@dataclass(frozen=True, slots=True)
class Status:
    """What there is in a directory.

    Attributes:
        running: the broker, None when there is none.
        message: one sentence for a person.
    """

    running: Running | None
    message: str


class _PidFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pid: int
    started: str
    """With the pid it names one process for ever (see `process.started`)."""
    port: int


def start_background(
    directory: Path,
    *,
    port: int = DEFAULT_PORT,
    properties: Mapping[str, PropertyValue] | None = None,
    timeout_seconds: float = START_TIMEOUT_SECONDS,
) -> Running:
    """Start a broker that goes on when this process ends; one that runs already on the port is returned.

    Args:
        directory: keeps its data over restarts; made if needed.
        port: the port on 127.0.0.1; 0 takes a free one, or that of the broker that runs already.
        properties: broker properties that override this package's.
        timeout_seconds: how long it may take until it answers.

    Raises:
        AlreadyRunningError: the directory's broker runs on another port.
        PortInUseError: another program listens on the port.
        ToolMissingError: there is neither Java with Maven nor Docker.
        InstallationError: Kafka could not be fetched or its directory not be formatted.
        StartError: the broker ended or did not answer in time.
    """
    directory = directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    with process.exclusive(directory / "lock"):
        running = status(directory).running
        if running is not None:
            if port in (0, running.port):
                return running
            raise AlreadyRunningError(
                f"the Kafka in {directory} already runs on port {running.port} (pid {running.pid}). "
                f"Stop it with `dunning kafka stop`, or use port {running.port}."
            )
        kafka = LocalKafka.start(
            directory=directory,
            port=port,
            properties=properties,
            timeout_seconds=timeout_seconds,
            tied_to_parent=False,
        )
        started = process.started(kafka.pid)
        if started is None:
            raise StartError("ended just after it had started", kafka.log_path, "")
        _write(directory, _PidFile(kafka.pid, started, kafka.port))
        return Running(directory, kafka.port, kafka.pid)


def status(directory: Path) -> Status:
    """Whether the directory's broker runs. A process that only has its pid by chance is not taken for it."""
    directory = directory.absolute()
    path = _path(directory)
    try:
        known = msgspec.json.decode(path.read_bytes(), type=_PidFile)
    except FileNotFoundError:
        return Status(None, f"no Kafka runs from {directory}")
    except msgspec.DecodeError as error:
        return Status(None, f"no Kafka is known to run from {directory}: {path} is damaged ({error})")
    started = process.started(known.pid)
    if started is None:
        return Status(None, f"the Kafka of {directory} has ended (it was pid {known.pid})")
    if started != known.started:
        return Status(
            None, f"the Kafka of {directory} has ended (its pid, {known.pid}, is another program's now)"
        )
    return Status(
        Running(directory, known.port, known.pid),
        f"Kafka runs on {process.HOST}:{known.port} (pid {known.pid}, data in {directory})",
    )


def stop_background(directory: Path, *, timeout_seconds: float = STOP_TIMEOUT_SECONDS) -> Running | None:
    """Stop the directory's broker in order and keep its data.

    Returns:
        What was stopped; None when nothing ran.

    Raises:
        StopError: it did not end in time.
    """
    running = status(directory).running
    if running is not None:
        process.send_signal(running.pid, signal.SIGTERM)
        deadline = time.monotonic() + timeout_seconds
        while status(directory).running is not None:
            if time.monotonic() > deadline:
                raise StopError(
                    f"Kafka (pid {running.pid}) was told to stop and did not within {timeout_seconds:.0f} s; "
                    f"see {running.log_path}, or end it with `kill -9 {running.pid}` (its data survives that)"
                )
            time.sleep(_POLL_SECONDS)
    _path(directory).unlink(missing_ok=True)
    return running


def _path(directory: Path) -> Path:
    return directory / "pid.json"


def _write(directory: Path, content: _PidFile) -> None:
    unfinished = directory / f".pid.json-{os.getpid()}"
    unfinished.write_bytes(msgspec.json.encode(content) + b"\n")
    unfinished.rename(_path(directory))
