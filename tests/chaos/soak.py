"""Steady work for a long time: memory, open files and the time of a round must not grow."""

import time
import urllib.request
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

from msgspec.structs import replace

from streams.broker.process import accepts_connections, free_port
from streams.dunning.events import Tick
from streams.messages.history import Arrival
from tests.app.harness import wait_for
from tests.app.histories import START, random_history

from .stage import Stage

__all__ = ["Sample", "judge", "soak"]

_SAMPLE_SECONDS = 5.0
# Caches fill and the allocator keeps what it once had: only growth beyond that is a leak.
_MEMORY_GROWTH, _MEMORY_SLACK_MIB = 1.25, 32.0
_FILES_SLACK = 24
_ROUND_GROWTH, _ROUND_SLACK_SECONDS = 2.0, 0.02


class Sample(NamedTuple):
    """One look at the process."""

    memory_mib: float
    files: int
    round_seconds: float
    """Mean since the sample before."""


def soak(stage: Stage, *, minutes: float) -> str:
    """A worker with RocksDB, events and ticks without end, time running fast; then the usual recount."""
    port = free_port()
    worker = stage.start(store="rocksdb", metrics_port=port, max_records=1_000)
    wait_for(lambda: accepts_connections(port), "the worker shows its metrics")
    samples: list[Sample] = []
    began = time.monotonic()
    look = _observer(worker.process.pid, f"http://127.0.0.1:{port}/metrics")
    looked = began
    lap, offset = 0, timedelta()
    while time.monotonic() - began < 60 * minutes:
        history = [_later(each, offset, lap) for each in random_history(stage.chance, customers=400, days=30)]
        for place, arrival in enumerate(history):
            stage.send(arrival)
            stage.events += 1
            if place % 100 == 99:
                stage.tick(Tick(arrival.arrived_at))
                stage.flush()
                _keep_up(stage)
            assert worker.process.poll() is None, worker.log.read_text()[-3000:]
            if time.monotonic() - looked > _SAMPLE_SECONDS:
                looked = time.monotonic()
                samples.append(look())
        stage.tick(Tick(history[-1].arrived_at))
        lap, offset = lap + 1, history[-1].arrived_at + timedelta(days=1) - START
    judge(samples)
    first, end = samples[len(samples) // 3], samples[-1]
    told = stage.finish(worker, seconds=600)
    return (
        f"{minutes:g} min, {offset.days / 365:.1f} years in {lap} laps, {len(samples)} samples: "
        f"memory {first.memory_mib:.0f} to {end.memory_mib:.0f} MiB, "
        f"files {first.files} to {end.files}, round {1000 * first.round_seconds:.1f} to "
        f"{1000 * end.round_seconds:.1f} ms; {told}"
    )


def _later(arrival: Arrival, offset: timedelta, lap: int) -> Arrival:
    """The same so much later, as something new."""
    event = arrival.event
    moved = {
        name: value + offset
        for name in event.__struct_fields__
        if isinstance(value := getattr(event, name), datetime)
    }
    return Arrival(arrival.arrived_at + offset, replace(event, event_id=f"{lap}/{event.event_id}", **moved))


def judge(samples: Sequence[Sample]) -> None:
    """Compare the last third with the middle one; the first is for warming up."""
    third = len(samples) // 3
    assert third >= 2, f"{len(samples)} samples are too few to compare"
    middle, last = samples[third : 2 * third], samples[2 * third :]
    memory = [median(each.memory_mib for each in part) for part in (middle, last)]
    assert memory[1] <= memory[0] * _MEMORY_GROWTH + _MEMORY_SLACK_MIB, f"memory grew: {memory} MiB"
    files = [max(each.files for each in part) for part in (middle, last)]
    assert files[1] <= files[0] + _FILES_SLACK, f"open files grew: {files}"
    rounds = [median(each.round_seconds for each in part) for part in (middle, last)]
    assert rounds[1] <= rounds[0] * _ROUND_GROWTH + _ROUND_SLACK_SECONDS, f"rounds grew: {rounds} s"


def _keep_up(stage: Stage) -> None:
    """Not faster than the worker: what is measured is steady work, not a growing backlog."""
    while stage.lag() > 2_000:
        time.sleep(0.2)


def _observer(pid: int, url: str) -> Callable[[], Sample]:
    seen = [0.0, 0.0]

    def look() -> Sample:
        status = Path(f"/proc/{pid}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        total, rounds = (_metric(text, f"dunning_round_duration_seconds_{each}") for each in ("sum", "count"))
        mean = (total - seen[0]) / max(1.0, rounds - seen[1])
        seen[:] = total, rounds
        return Sample(resident / 1024, sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()), mean)

    return look


def _metric(text: str, name: str) -> float:
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))
