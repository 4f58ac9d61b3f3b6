"""How fast a worker restores from its changelog, and how fast it is back with its local store.

A compacted changelog is filled with keys as large as a customer's state, half of them with a due time. Then a
worker starts on an empty disk, stops, and starts again. Restoring is timed from the assignment to the last
partition that is ready, a restart from the process's start to the same.
"""

import random
import sys
import tempfile
import time
from pathlib import Path

from bench import environment
from bench.assignment import Assignment, to_argument
from bench.cluster import Bench, send
from bench.contenders.restoring import TABLE
from bench.process import Contestant, wait_for
from bench.program import Program, aim
from streams.broker import LocalKafka
from streams.engine.codec import seal

_WANTED_KEYS = 200_000.0
_WANTED_WARM_SECONDS = 10.0
_PARTITIONS = 8
_WAIT_SECONDS = 1_800.0


class Restart:
    """What one start gave: seconds from assignment and from the process's start, and bytes at the highest."""

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
        finally:
            worker.stop()


def _said(worker: Contestant, what: str) -> list[float]:
    lines = worker.log.read_text(errors="replace").splitlines()
    return [
        float(line.split()[2]) for line in lines if line.startswith(f"{what} ") and len(line.split()) == 3
    ]


def fill(bench: Bench, changelog: str, keys: int, value_bytes: int) -> None:
    """Fill a changelog as the engine would have written it."""
    bench.create([changelog], {"cleanup.policy": "compact"})
    chance = random.Random(1)  # noqa: S311 - a load, not a secret
    # Not all the same, or compression would make it a different measurement.
    values = [
        chance.randbytes(value_bytes // 2) + bytes(value_bytes - value_bytes // 2) for _ in range(1_000)
    ]
    producer = bench.producer()
    for number in range(keys):
        due = 1_767_225_600_000_000 + chance.randrange(10**12) if number % 2 else None
        send(producer, changelog, seal(values[number % 1_000], due), f"customer-{number:08}".encode())
    producer.flush()


def main() -> int:
    """Run it."""
    program = Program("restore_speed", "Restore from the changelog", __doc__)
    program.parser.add_argument("--keys", type=int, nargs="+", default=[1_000_000])
    program.parser.add_argument("--value-bytes", type=int, default=300)
    program.parser.add_argument(
        "--stores", nargs="+", choices=("memory", "rocksdb"), default=["memory", "rocksdb"]
    )
    given = program.parser.parse_args()
    lines, notes, data = [], [], {}
    with LocalKafka.start() as kafka:
        bench = Bench(kafka.bootstrap_servers, _PARTITIONS)
        bench.create(["restore-in"])
        for keys in given.keys:
            for store in given.stores:
                application = f"restore-{store}-{keys}"
                fill(bench, f"{application}-{TABLE}-changelog", keys, given.value_bytes)
                with tempfile.TemporaryDirectory(prefix="bench-") as name:
                    cold = Restart(bench, application, store, Path(name))
                    warm = Restart(bench, application, store, Path(name))
                bench.delete(application)
                speed = keys / cold.restoring
                data[f"{store}-{keys}"] = {
                    "keys": keys,
                    "keys_per_second": speed,
                    "warm_seconds": warm.whole,
                    "memory_bytes": cold.memory_bytes,
                }
                lines.append(
                    (
                        store,
                        f"{keys:,}",
                        f"{cold.restoring:.1f}",
                        f"{speed:,.0f}",
                        f"{warm.whole:.1f}",
                        f"{cold.memory_bytes / 2**20:,.0f}",
                        f"{warm.memory_bytes / 2**20:,.0f}",
                    )
                )
                notes.append(aim(f"restore, {store}", speed, _WANTED_KEYS, "keys/s"))
                if store == "rocksdb":
                    notes.append(
                        aim(
                            f"warm restart, {keys:,} keys",
                            warm.whole,
                            _WANTED_WARM_SECONDS,
                            "s",
                            at_most=True,
                        )
                    )
    headings = ("store", "keys", "restore s", "keys/s", "restart s", "MiB restoring", "MiB restarted")
    program.finish(given, headings, lines, notes, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
