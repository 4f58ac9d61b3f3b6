"""Which process is it, and does it still run: pids are used again, so a pid alone proves nothing."""

import fcntl
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
"""A local broker is for this machine alone."""

# Below every system's range of ephemeral ports (Linux: from 32768, macOS: from 49152). A client that keeps
# reconnecting to a dead broker on an ephemeral port can be given that very port and connect to itself; the
# broker then finds its port taken when it comes back.
_PORT_FIRST = 20_000
_PORT_COUNT = 10_000
_PORT_ATTEMPTS = 200

_HAS_PROC = Path("/proc/self/stat").exists()


def started(pid: int) -> str | None:
    """When a process began, as a token to compare; None when there is no such process or it has ended."""
    if _HAS_PROC:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The name, in parentheses, may contain anything; the fields are counted after it.
        fields = stat.rpartition(")")[2].split()
        state, ticks_since_boot = fields[0], fields[19]
        if state in "ZX":
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{ticks_since_boot}"
    done = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, began = done.stdout.strip().partition(" ")
    return None if not began or state.startswith("Z") else began.strip()


def port_is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Java does: connections of a past broker that still linger are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(*, besides: int = 0) -> int:
    """A port on 127.0.0.1 that nothing listens on, other than `besides`.

    Raises:
        OSError: none was found in 200 attempts.
    """
    for _ in range(_PORT_ATTEMPTS):
        port = _PORT_FIRST + secrets.randbelow(_PORT_COUNT)
        if port != besides and port_is_free(port):
            return port
    raise OSError(f"no free port between {_PORT_FIRST} and {_PORT_FIRST + _PORT_COUNT - 1}")


def accepts_connections(port: int) -> bool:
    """Whether something answers on 127.0.0.1:`port`."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def send_signal(pid: int, signal_number: int) -> None:
    """Send a signal; a process that has just ended needs none."""
    try:
        os.kill(pid, signal_number)
    except ProcessLookupError:
        return


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file; other processes that want it wait. It is free again when its holder dies."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
