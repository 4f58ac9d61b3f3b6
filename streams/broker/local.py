"""A broker that lives as long as a test, a demo or a `with` block."""

import atexit
import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.broker import process
from streams.broker.errors import LocalKafkaError, PortInUseError, StartError
from streams.broker.launch import Launch, Node, prepare
from streams.broker.properties import PropertyValue

START_TIMEOUT_SECONDS = 90.0
"""A broker is up in about 5 s; a busy machine, or the image's first download, may take far longer."""

STOP_TIMEOUT_SECONDS = 30.0

_POLL_SECONDS = 0.1
_START_ATTEMPTS = 3
_LOG_EXCERPT_LINES = 20


class LocalKafka:
    """A running single-node Kafka on 127.0.0.1; make one with `start`.

    On Linux it dies with the process that started it, even by SIGKILL, when that was done from the main
    thread (the kernel ties it to the thread). It runs in a session of its own, so a Ctrl-C in the terminal
    reaches the program first and the broker still serves the program's last commit.
    """

    def __init__(self, node: Node, *, temporary: bool, tied_to_parent: bool) -> None:
        self._node = node
        self._temporary = temporary
        self._tied_to_parent = tied_to_parent
        self._launch: Launch | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(
        cls,
        *,
        directory: Path | None = None,
        port: int = 0,
        properties: Mapping[str, PropertyValue] | None = None,
        timeout_seconds: float = START_TIMEOUT_SECONDS,
        tied_to_parent: bool = True,
    ) -> Self:
        """Start a broker and wait until it answers.

        Args:
            directory: keeps data, properties and log over restarts; by default a temporary one,
                removed at stop.
            port: the port on 127.0.0.1; 0 takes a free one.
            properties: broker properties that override this package's.
            timeout_seconds: how long it may take until it answers.
            tied_to_parent: end with this process; False leaves it running (see `streams.broker.background`).

        Raises:
            PortInUseError: another process listens on the port.
            ToolMissingError: there is neither Java with Maven nor Docker.
            InstallationError: Kafka could not be fetched or its directory not be formatted.
            StartError: the broker ended or did not answer in time.
        """
        for attempt in range(1, _START_ATTEMPTS + 1):
            kafka = cls._made(directory, port, properties or {}, tied_to_parent=tied_to_parent)
            try:
                kafka._run(timeout_seconds)  # noqa: SLF001
            except StartError as error:
                kafka.stop()
                # A free port may be taken by another before our broker binds it.
                lost_the_port = "in use" in error.log_excerpt and port == 0
                if not lost_the_port or attempt == _START_ATTEMPTS:
                    raise
            except BaseException:
                kafka.stop()
                raise
            else:
                return kafka
        raise AssertionError("the last attempt returns or raises")

    @classmethod
    def _made(
        cls,
        directory: Path | None,
        port: int,
        properties: Mapping[str, PropertyValue],
        *,
        tied_to_parent: bool,
    ) -> Self:
        if port and not process.port_is_free(port):
            raise PortInUseError(port)
        port = port or process.free_port()
        home = Path(tempfile.mkdtemp(prefix="dunning-kafka-")) if directory is None else directory.absolute()
        home.mkdir(parents=True, exist_ok=True)
        node = Node(home, port, process.free_port(besides=port), _cluster_id(home), properties)
        return cls(node, temporary=directory is None, tied_to_parent=tied_to_parent)

    @property
    def bootstrap_servers(self) -> str:
        """What clients are given: "127.0.0.1:PORT"."""
        return f"{process.HOST}:{self.port}"

    @property
    def port(self) -> int:
        """The clients' port, the same over restarts."""
        return self._node.port

    @property
    def directory(self) -> Path:
        """Holds the broker's data, properties and log."""
        return self._node.directory

    @property
    def log_path(self) -> Path:
        """The broker's log; restarts append to it."""
        return self.directory / "broker.log"

    @property
    def pid(self) -> int:
        """The broker's process (Docker: of the client that runs the container).

        Raises:
            LocalKafkaError: it was stopped or killed.
        """
        if self._process is None:
            raise LocalKafkaError(f"the local Kafka in {self.directory} is not running")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the broker's process is alive; a process that is paused counts."""
        return self._process is not None and self._process.poll() is None

    @property
    def launch(self) -> Launch:
        """How it was run.

        Raises:
            LocalKafkaError: it never ran.
        """
        if self._launch is None:
            raise LocalKafkaError(f"the local Kafka in {self.directory} was not started")
        return self._launch

    def stop(self) -> None:
        """Stop in order, by force after 30 s; a temporary directory is removed. Safe to call again."""
        atexit.unregister(self.stop)
        if self._temporary:
            # Nobody will read this data, so an orderly end would only cost seconds.
            self.kill()
            self._discard()
            return
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End at once, as a power cut would; what was written stays (for `restart`)."""
        if self._process is None:
            return
        command = self.launch.kill_command
        # In Docker a SIGKILL would end the client and leave the container.
        done = command and subprocess.run(command, capture_output=True, check=False)  # noqa: S603
        if not done or done.returncode != 0:
            self._process.kill()
        self._process.wait(STOP_TIMEOUT_SECONDS)
        self._process = None

    def restart(self, *, timeout_seconds: float = START_TIMEOUT_SECONDS) -> None:
        """Start again on the same port and data; what still runs is killed first.

        Raises:
            PortInUseError: another process has taken the port meanwhile.
            StartError: the broker ended or did not answer in time.
            LocalKafkaError: its temporary directory is gone with `stop`.
        """
        if not self.directory.is_dir():
            raise LocalKafkaError(f"cannot restart: {self.directory} was removed when the broker stopped")
        self.kill()
        if not process.port_is_free(self.port):
            raise PortInUseError(self.port)
        self._run(timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self, timeout_seconds: float) -> None:
        self._launch = prepare(self._node)
        with self.log_path.open("ab") as log:
            log_start = log.tell()
            self._process = subprocess.Popen(  # noqa: S603
                self._command(self._launch),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if self._tied_to_parent:
            # Where the kernel cannot tie it, at least an orderly exit takes it along.
            atexit.register(self.stop)
        self._wait_until_it_answers(self._process, log_start, timeout_seconds)

    def _command(self, launch: Launch) -> Sequence[str]:
        kernel_can_tie = sys.platform == "linux" and threading.current_thread() is threading.main_thread()
        if not (self._tied_to_parent and kernel_can_tie):
            return launch.command
        script = Path(__file__).with_name("die_with_parent.py")
        # `docker run` hands a SIGTERM on to its container; a JVM that is paused or stuck needs a SIGKILL.
        end = signal.SIGKILL if launch.kill_command is None else signal.SIGTERM
        return [sys.executable, "-I", "-S", str(script), str(os.getpid()), str(end.value), *launch.command]

    def _wait_until_it_answers(
        self, running: subprocess.Popen[bytes], log_start: int, timeout_seconds: float
    ) -> None:
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if running.poll() is not None:
                raise StartError(
                    f"ended with exit code {running.returncode} while starting",
                    self.log_path,
                    self._log(log_start),
                )
            if process.accepts_connections(self.port) and self._serves():
                return
            time.sleep(_POLL_SECONDS)
        raise StartError(
            f"did not answer on {self.bootstrap_servers} within {timeout_seconds:.0f} s",
            self.log_path,
            self._log(log_start),
        )

    def _serves(self) -> bool:
        """Whether our own broker, not another on this port, lists itself as ready for clients."""
        # Refused connections are expected now; librdkafka would print each to standard error.
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        try:
            metadata = admin.list_topics(timeout=2)
        except KafkaException:
            return False
        return bool(metadata.brokers) and metadata.cluster_id == self._node.cluster_id

    def _log(self, start: int) -> str:
        """The lines of this run from its first error on, else its last lines."""
        with self.log_path.open("rb") as file:
            file.seek(start)
            lines = file.read().decode(errors="replace").splitlines()
        first_error = next((n for n, line in enumerate(lines) if re.search(r" (ERROR|FATAL) ", line)), None)
        if first_error is None:
            return "\n".join(lines[-_LOG_EXCERPT_LINES:])
        return "\n".join(lines[first_error : first_error + _LOG_EXCERPT_LINES])

    def _discard(self) -> None:
        if self._launch is not None and self._launch.discard_command is not None:
            subprocess.run(self._launch.discard_command, capture_output=True, check=False)  # noqa: S603
        shutil.rmtree(self.directory, ignore_errors=True)


def _cluster_id(directory: Path) -> str:
    """The id that the directory's data was formatted with, or a new one."""
    path = directory / "cluster-id"
    if not path.is_file():
        # As Kafka writes it: 16 random bytes in base64 for URLs.
        path.write_text(base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode(), encoding="ascii")
    return path.read_text(encoding="ascii")
