"""What the demo plays on: a broker, topics of its own, a real worker. All of it goes when the demo ends."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka.admin import AdminClient

from streams.broker import LocalKafka, start_background
from streams.broker import die_with_parent as tied
from streams.cli.clients import connect
from streams.cli.cluster_topics import create_topics
from streams.cli.errors import CommandError
from streams.cli.exit_codes import ExitCode
from streams.engine import ExitCode as EngineExitCode
from streams.settings import SECRETS, Settings

Say = Callable[[str], None]

_STOP_SECONDS = 40.0
_MOST_STARTS = 5
# What a supervisor meets by starting a worker again: a broker that failed it, a lost identity, no progress.
_PASSING = frozenset({EngineExitCode.BROKER, EngineExitCode.FENCED, EngineExitCode.STUCK})
_LOG_LINES = 15
_DELETE_SECONDS = 30.0


class Worker:
    """A `dunning worker` in a process of its own, started again when it is killed.

    Args:
        settings: the worker's.
        log_path: where its log goes.
        say: tells the person what happens.

    Attributes:
        log_path: where its log goes.
    """

    def __init__(self, settings: Settings, log_path: Path, say: Say) -> None:
        self.log_path = log_path
        self._settings = settings
        self._say = say
        self._starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Starts it, and stops it in order; its local state goes with it.

        Raises:
            CommandError: It ended otherwise than it should when it was told to stop.
        """
        self.log_path.write_bytes(b"")
        try:
            self.start()
            yield
            code = self.stop()
            if code != 0:
                raise CommandError(
                    f"the worker ended with exit code {code} when it was told to stop. Its log, "
                    f"{self.log_path}, ends with:\n{self._log_end()}",
                    ExitCode.NO_WORKER,
                )
        finally:
            self.stop()
            shutil.rmtree(self._settings.data_directory, ignore_errors=True)

    def start(self) -> None:
        """Start it; it joins its group while the caller goes on."""
        self._starts += 1
        command = [sys.executable, "-m", "streams.cli.main", "worker"]
        if sys.platform == "linux":
            # If this process is killed, Linux ends the worker; elsewhere it would run on.
            command = [sys.executable, tied.__file__, str(os.getpid()), str(int(signal.SIGTERM)), *command]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                env={**_without_files(os.environ), **environment_of(self._settings)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C in the terminal is for the demo, which then stops the worker in order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        """Its process; None if it does not run."""
        return None if self._process is None else self._process.pid

    def watch(self) -> None:
        """Start it again if it was killed or failed, as a supervisor would.

        Raises:
            CommandError: Starting it again would not help, or has been done too often.
        """
        if self._process is None or (code := self._process.poll()) is None:
            return
        if (code < 0 or code in _PASSING) and self._starts < _MOST_STARTS:
            cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            self._say(f"the worker was ended by {cause}; another goes on where it was")
            self.start()
            return
        raise CommandError(
            f"the worker ended with exit code {code}. {self.log_path} ends with:\n{self._log_end()}",
            ExitCode.NO_WORKER,
        )

    def stop(self) -> int | None:
        """Stop it in order, by force if it takes too long; its exit code, None if it did not run."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            code = self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._process = None
        return code

    def _log_end(self) -> str:
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:])


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings as the environment variables that lead to them, secrets included."""
    shown = settings.printable()
    for name in SECRETS:
        secret = getattr(settings, name)
        if secret is not None:
            shown[f"DUNNING_{name.upper()}"] = secret.get_secret_value()
    return shown


def _without_files(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the files of secrets, which were read: both would contradict each other."""
    files = {f"DUNNING_{name.upper()}_FILE" for name in SECRETS}
    return {name: value for name, value in environment.items() if name not in files}


class Broker(NamedTuple):
    """A broker that answers.

    Attributes:
        settings: lead to it.
        temporary: it goes with the demo, and all that is in it.
    """

    settings: Settings
    temporary: bool


@contextmanager
def broker(given: Settings, directory: Path, *, keep: bool, say: Say) -> Iterator[Broker]:
    """The broker that the environment names, else a local one; with `keep` it goes on in the background.

    Args:
        given: the settings of the environment.
        directory: where a local broker that is kept has its data.
        keep: whether it is to be there afterwards.
        say: tells the person what happens.

    Raises:
        CommandError: the one that the environment names does not answer.
        LocalKafkaError: a local one cannot be started.
    """
    if "DUNNING_BOOTSTRAP_SERVERS" in os.environ:
        connect(given)
        say(f"using the Kafka at {given.bootstrap_servers}")
        yield Broker(given, temporary=False)
        return
    say("starting a local Kafka (the first time, it is downloaded) ...")
    started = time.monotonic()
    with ExitStack() as stack:
        if keep:
            servers = start_background(directory, port=0).bootstrap_servers
        else:
            servers = stack.enter_context(LocalKafka.start()).bootstrap_servers
        say(f"Kafka answers at {servers} after {time.monotonic() - started:.0f} s")
        yield Broker(given.model_copy(update={"bootstrap_servers": servers}), temporary=not keep)
        if keep:
            say(f"Kafka goes on running; `dunning kafka stop --directory {directory}` ends it")


@contextmanager
def topics(settings: Settings, *, keep: bool) -> Iterator[AdminClient]:
    """Topics under the settings' prefix, fit for virtual time; deleted at the end, with the changelogs."""
    admin = connect(settings)
    try:
        create_topics(admin, prefix=settings.topic_prefix, virtual_time=True, partitions=None, replication=1)
        yield admin
    finally:
        if not keep:
            _delete(admin, (settings.topic_prefix, f"{settings.application_id}-"))


def _delete(admin: AdminClient, prefixes: tuple[str, ...]) -> None:
    names = [name for name in admin.list_topics(timeout=_DELETE_SECONDS).topics if name.startswith(prefixes)]
    futures: dict[str, Any] = admin.delete_topics(names) if names else {}
    for future in futures.values():
        future.result(_DELETE_SECONDS)
