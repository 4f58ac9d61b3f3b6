"""The generic job that the engine's tests run, in this process or as a worker of its own.

Each key counts its records and emits every count with what it saw; a key is due ten times its count, and a
tick emits what is due up to its time. The partition keeps its clock under a key of its own. Records whose
value begins with ``poison`` make the agent raise.
"""

import json
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from streams.engine import App, Batch, Codec, EngineSettings, Observer, Output, Record, create_app, run_worker

CLOCK = "\x00clock"


def encode(value: tuple[int, ...]) -> bytes:
    return json.dumps(value).encode()


def decode(value: bytes) -> tuple[int, ...]:
    return tuple(json.loads(value))


def due(value: tuple[int, ...]) -> int | None:
    """(count, due) is due at its second field; 0 for never."""
    return value[1] or None


def poison(record: Record, error: BaseException) -> Iterable[Output]:
    headers = [("topic", record.topic.encode()), ("error", str(error).encode())]
    yield Output(f"{PREFIX[0]}dead", record.key, record.value, headers, record.timestamp, record.partition)


PREFIX = [""]


def build(
    settings: EngineSettings, prefix: str, inputs: list[str], *, observer: Observer | None = None
) -> App:
    PREFIX[0] = prefix
    app = create_app(settings, observer=observer, poison=poison, tick=lambda now: str(now).encode())
    counts = app.Table("counts", codec=Codec(encode, decode), due=due)

    def handle(batch: Batch, record: Record) -> None:
        value = record.value or b""
        if value.startswith(b"poison"):
            raise ValueError(value.decode())
        key = (record.key or b"").decode()
        count = counts.get(key, (0, 0))[0] + 1
        counts[key] = (count, int(value) if value.startswith(b"1") else 0)
        out = json.dumps({"key": key, "count": count, "from": f"{record.topic}/{record.partition}/{record.offset}"})
        batch.emit(f"{prefix}out", key=record.key, value=out.encode(), partition=batch.partition)

    @app.agent(app.topic(*[f"{prefix}{name}" for name in inputs]))  # type: ignore[arg-type]
    async def events(batches: Any) -> None:
        async for batch in batches:
            for record in batch:
                handle(batch, record)

    if settings.tick_topic:

        @app.agent(app.topic(settings.tick_topic))  # type: ignore[arg-type]
        async def ticks(batches: Any) -> None:
            async for batch in batches:
                for tick in batch:
                    now = int(tick.value)
                    clock = counts.get(CLOCK, (0, 0))[0]
                    if now > clock:
                        counts[CLOCK] = (now, 0)
                    for key in counts.due(now):
                        count, at = counts[key]
                        counts[key] = (count, 0)
                        out = json.dumps({"key": key, "due": at, "tick": tick.offset, "count": count})
                        batch.emit(f"{prefix}out", key=key.encode(), value=out.encode(), partition=batch.partition)

    return app


class Announcing(Observer):
    """Tells the test what happens, one line each."""

    def ready(self, partition: int) -> None:
        print(f"ready {partition}", flush=True)

    def restoring(self, table: str, partition: int, restored: int, remaining: int) -> None:
        print(f"restored {table} {partition} {restored} {remaining}", flush=True)

    def round_committed(self, *, duration_seconds: float, records: int, outputs: int, changes: int) -> None:
        print(f"committed {records} {duration_seconds:.4f}", flush=True)


def main() -> int:
    """Run as a worker: one JSON object with ``prefix``, ``inputs`` and the settings."""
    given = json.loads(sys.argv[1])
    prefix, inputs = given.pop("prefix"), given.pop("inputs")
    given["data_directory"] = Path(given.get("data_directory", "data"))
    app = build(EngineSettings(**given), prefix, inputs, observer=Announcing())
    code = run_worker(app)
    assert threading.active_count() < 10
    return code


if __name__ == "__main__":
    sys.exit(main())
