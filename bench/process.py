"""Contenders as processes: started, pinned, measured, ended."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_TERMINATE_SECONDS = 20.0


@contextmanager
def on_processors(processors: set[int] | None) -> Iterator[None]:
    """Children started meanwhile, and all of their threads, run on these processors only."""
    if processors is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Contestant:
    """One running contender.

    Args:
        command: its command line.
        log: takes what it prints.
        directory: its working directory.
        processors: where it may run; ``None`` for anywhere.
        environment: variables besides this process's.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        directory: Path,
        *,
        processors: set[int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        with log.open("wb") as out, on_processors(processors):
            self._process = subprocess.Popen(
                list(command),
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env={
                    **{name: value for name, value in os.environ.items() if not name.startswith("DUNNING_")},
                    "PYTHONPATH": str(ROOT),
                    "PYTHONWARNINGS": "ignore",
                    **(environment or {}),
                },
            )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    @property
    def cpu_seconds(self) -> float | None:
        """Processor time so far; ``None`` where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory_bytes(self) -> int | None:
        """Its resident memory at its highest; ``None`` where the system does not tell."""
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except OSError:
            return None
        kilobytes = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
        return None if kilobytes is None else int(kilobytes) * 1024

    def stop(self) -> int:
        """SIGTERM, then SIGKILL; the exit code."""
        if self.alive:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(_TERMINATE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait(_TERMINATE_SECONDS)

    def last_words(self, lines: int = 12) -> str:
        """The end of what it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def wait_for(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Wait until it holds.

    Raises:
        TimeoutError: it does not.
    """
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.02)
