"""How fast a worker restores from its changelog, and how fast it is back with its local store.

A compacted changelog is filled with keys as large as a customer's state, half of them with a due time. Then a
worker starts on an empty disk, stops, and starts again. Restoring is timed from the assignment to the last
partition that is ready, a restart from the process's start to the same. 10,000,000 keys, on disk, run with
``--long`` only.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import environment
from bench.assignment import Assignment, to_argument
from bench.changelog import check_room, fill
from bench.cluster import Bench
from bench.contenders.restoring import TABLE
from bench.process import Contestant, wait_for
from bench.program import Program, aim
from streams.broker import LocalKafka
from streams.engine.codec import seal

_WANTED_KEYS = 200_000.0
_WANTED_WARM_SECONDS = 10.0
_WANTED_GIB = 2.0
_LONG = 10_000_000
_PARTITIONS = 8
_WAIT_SECONDS = 600.0
_FIRST_DUE = 1_767_225_600_000_000


class Restart:
    """What one start gave.

    Attributes:
        restoring: seconds from the assignment to the last partition that was ready.
        whole: seconds from the process's start to the same.
        memory_bytes: resident memory at its highest.
        processor_seconds: of the process until then, start-up included.
    """

    def __init__(self, bench: Bench, application: str, store: str, directory: Path) -> None:
        given = Assignment(
            servers=bench.servers,
            application=application,
            input="restore-in",
            output="none",
            partitions=bench.partitions,
            directory=str(directory),
            store=store,
        )
        started = time.time()
        command = [
            str(environment.project_python()),
            "-m",
            "bench.contenders.restoring",
            to_argument(given),
        ]
        worker = Contestant(command, directory / "worker.log", directory)
        try:
            wait_for(
                lambda: len(_said(worker, "ready")) == bench.partitions or not worker.alive,
                "all partitions are ready",
                _WAIT_SECONDS,
            )
            ready = _said(worker, "ready")
            if len(ready) < bench.partitions:
                raise RuntimeError(f"the worker ended: {worker.last_words()}")
            self.restoring = max(ready) - min(_said(worker, "assigned"))
            self.whole = max(ready) - started
            self.memory_bytes = worker.memory_bytes or 0
            self.processor_seconds = worker.cpu_seconds or 0.0
        finally:
            worker.stop()


def _said(worker: Contestant, what: str) -> list[float]:
    lines = worker.log.read_text(errors="replace").splitlines()
    return [
        float(line.split()[2]) for line in lines if line.startswith(f"{what} ") and len(line.split()) == 3
    ]


def envelopes(value_bytes: int) -> Callable[[int], bytes]:
    """Values by the number of their key; unlike, or compression would make it another measurement."""
    chance = random.Random(1)  # noqa: S311 - a load, not a secret
    values = [
        chance.randbytes(value_bytes // 2) + bytes(value_bytes - value_bytes // 2) for _ in range(1_000)
    ]
    dues = [_FIRST_DUE + chance.randrange(10**12) for _ in range(1_000)]

    def envelope(number: int) -> bytes:
        due = dues[number // 1_000 % 1_000] + number if number % 2 else None
        return seal(values[number % 1_000], due)

    return envelope


def main() -> int:
    """Run it."""
    program = Program("restore_speed", "Restore from the changelog", __doc__)
    program.parser.add_argument("--keys", type=int, nargs="+", default=[1_000_000])
    program.parser.add_argument("--long", action="store_true", help="10,000,000 on disk as well")
    program.parser.add_argument("--value-bytes", type=int, default=300)
    program.parser.add_argument(
        "--stores", nargs="+", choices=("memory", "rocksdb"), default=["memory", "rocksdb"]
    )
    given = program.parser.parse_args()
    runs = [(keys, store) for keys in given.keys for store in given.stores]
    runs += [(_LONG, "rocksdb")] if given.long else []
    check_room(max(keys for keys, _ in runs), given.value_bytes)
    lines, notes, data = [], [], {}
    envelope = envelopes(given.value_bytes)
    with LocalKafka.start() as kafka:
        bench = Bench(kafka.bootstrap_servers, _PARTITIONS)
        bench.create(["restore-in"])
        for keys, store in runs:
            application = f"restore-{store}-{keys}"
            fill(bench, f"{application}-{TABLE}-changelog", keys, envelope)
            with tempfile.TemporaryDirectory(prefix="bench-") as name:
                cold = Restart(bench, application, store, Path(name))
                warm = Restart(bench, application, store, Path(name))
            bench.delete(application)
            speed = keys / cold.restoring
            data[f"{store}-{keys}"] = {
                "store": store,
                "keys": keys,
                "keys_per_second": speed,
                "restore_seconds": cold.restoring,
                "processor_seconds": cold.processor_seconds,
                "warm_seconds": warm.whole,
                "memory_bytes": cold.memory_bytes,
                "warm_memory_bytes": warm.memory_bytes,
            }
            lines.append(
                (
                    store,
                    f"{keys:,}",
                    f"{cold.restoring:.1f}",
                    f"{speed:,.0f}",
                    f"{cold.processor_seconds / keys * 1e6:.1f}",
                    f"{warm.whole:.1f}",
                    f"{cold.memory_bytes / 2**20:,.0f}",
                    f"{warm.memory_bytes / 2**20:,.0f}",
                )
            )
            print("  " + ", ".join(lines[-1]), flush=True)
            notes += _aims(keys, store, speed, cold, warm)
    headings = (
        "store",
        "keys",
        "restore s",
        "keys/s",
        "CPU us/key",
        "restart s",
        "MiB restoring",
        "MiB restarted",
    )
    program.finish(given, headings, lines, notes, data)
    return 0


def _aims(keys: int, store: str, speed: float, cold: Restart, warm: Restart) -> list[str]:
    label = f"{store}, {keys:,} keys"
    notes = [aim(f"restore, {label}", speed, _WANTED_KEYS, "keys/s")]
    if store == "rocksdb":
        gibibytes = max(cold.memory_bytes, warm.memory_bytes) / 2**30
        notes += [
            aim(f"warm restart, {label}", warm.whole, _WANTED_WARM_SECONDS, "s", at_most=True),
            aim(f"memory, {label}", gibibytes, _WANTED_GIB, "GiB", at_most=True),
        ]
    return notes


if __name__ == "__main__":
    sys.exit(main())
