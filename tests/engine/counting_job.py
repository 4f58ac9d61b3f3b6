"""The generic job that the engine's tests run, in this process or as a worker of its own.

Each key counts its records and emits every count with what it saw. A value that begins with ``1`` is a time
at which the key is due; a tick emits what is due up to its time. The partition keeps its clock under a key of
its own. A value that begins with ``poison`` makes the agent raise, and ``slow3`` makes it block for 3 s.
"""

import json
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from streams.engine import (
    App,
    Batch,
    Codec,
    EngineSettings,
    Observer,
    Output,
    Record,
    Table,
    create_app,
    run_worker,
)

CLOCK = "\x00clock"

State = tuple[int, int]
"""Count, and when it is due: 0 for never."""


def encode(value: State) -> bytes:
    return b"%d,%d" % value


def decode(value: bytes) -> State:
    count, at = value.split(b",")
    return int(count), int(at)


def due(value: State) -> int | None:
    return value[1] or None


def put_aside(prefix: str, record: Record, error: BaseException) -> Iterable[Output]:
    headers = [("topic", record.topic.encode()), ("error", str(error).encode())]
    yield Output(f"{prefix}dead", record.key, record.value, headers, record.timestamp, record.partition)


def count(counts: Table[State], batch: Batch, record: Record, prefix: str) -> None:
    value = record.value or b""
    if value.startswith(b"poison"):
        raise ValueError(value.decode())
    if value.startswith(b"slow"):
        time.sleep(float(value[4:]))
    key = (record.key or b"").decode()
    number = counts.get(key, (0, 0))[0] + 1
    counts[key] = (number, int(value) if value.startswith(b"1") else 0)
    seen = {"key": key, "count": number, "from": f"{record.topic}/{record.partition}/{record.offset}"}
    batch.emit(f"{prefix}out", key=record.key, value=json.dumps(seen).encode(), partition=batch.partition)


def strike(counts: Table[State], batch: Batch, tick: Record, prefix: str) -> None:
    now = int(tick.value or b"0")
    if now > counts.get(CLOCK, (0, 0))[0]:
        counts[CLOCK] = (now, 0)
    for key in counts.due(now):
        number, at = counts[key]
        counts[key] = (number, 0)
        said = {"key": key, "due": at, "tick": tick.offset, "count": number}
        batch.emit(
            f"{prefix}out", key=key.encode(), value=json.dumps(said).encode(), partition=batch.partition
        )


def build(
    settings: EngineSettings, prefix: str, inputs: list[str], *, observer: Observer | None = None
) -> App:
    app = create_app(
        settings,
        observer=observer,
        poison=partial(put_aside, prefix),
        tick=lambda now: str(now).encode(),
    )
    counts = app.Table("counts", codec=Codec(encode, decode), due=due)

    @app.agent(app.topic(*[f"{prefix}{name}" for name in inputs]))
    async def events(batches: Any) -> None:
        async for batch in batches:
            for record in batch:
                if record.value == b"return":
                    return
                count(counts, batch, record, prefix)

    if settings.tick_topic:

        @app.agent(app.topic(settings.tick_topic))
        async def ticks(batches: Any) -> None:
            async for batch in batches:
                for tick in batch:
                    strike(counts, batch, tick, prefix)

    return app


class Announcing(Observer):
    """Tells the test what happens, one line each."""

    def ready(self, partition: int) -> None:
        say(f"ready {partition}")

    def restoring(self, table: str, partition: int, restored: int, remaining: int) -> None:
        say(f"restored {table} {partition} {restored} {remaining}")

    def round_committed(self, *, duration_seconds: float, records: int, outputs: int, changes: int) -> None:
        say(f"committed {records} {outputs} {changes} {duration_seconds:.4f}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run as a worker: one JSON object with ``prefix``, ``inputs`` and the settings."""
    given = json.loads(sys.argv[1])
    prefix, inputs = given.pop("prefix"), given.pop("inputs")
    given["data_directory"] = Path(given.get("data_directory", "data"))
    return run_worker(build(EngineSettings(**given), prefix, inputs, observer=Announcing()))


if __name__ == "__main__":
    sys.exit(main())
