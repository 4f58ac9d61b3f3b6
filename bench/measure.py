"""One run of one contender, from its start to the verdict."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench.assignment import Assignment
from bench.catalogue import Contender
from bench.cluster import Bench
from bench.jobs import Verdict, Work
from bench.observer import NothingHappenedError, Timing, observe
from bench.process import Contestant


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What one run gave.

    Attributes:
        contender: its name.
        round: which of the interleaved rounds.
        records_per_second: input records, between the first and the last commit; 0 if it did not finish.
        seconds: between the first and the last commit.
        records: input records whose outputs were committed.
        outputs: committed output records.
        changelog_records: committed changelog records; ``None`` where there is no changelog.
        processor_seconds: of its process from its start on, start-up included.
        memory_bytes: resident memory at its highest.
        cut_short: it was stopped after the time limit, and what it had done by then is what counts.
        wrong: what is not right about its outputs; ``None`` if they are right.
        counts: outputs by kind.
    """

    contender: str
    round: int
    records_per_second: float
    seconds: float
    records: int
    outputs: int
    changelog_records: int | None
    processor_seconds: float | None
    memory_bytes: int | None
    cut_short: bool = False
    wrong: str | None
    counts: Mapping[str, int]


def measure(
    bench: Bench,
    work: Work,
    contender: Contender,
    number: int,
    *,
    processors: set[int] | None,
    patience_seconds: float,
    limit_seconds: float,
    keep_logs: Path | None = None,
) -> Measurement:
    """Run a contender on a job's inputs."""
    application = f"run{number}-{contender.job}-{contender.name}"
    topics = work.outputs(application)
    existing = set(bench.topics(""))
    bench.create([topic for topic in topics if topic not in existing])
    if contender.changelog:
        bench.create([f"{application}-changelog"], {"cleanup.policy": "compact"})
    bench.wait_until_settled(topics)
    start = bench.ends(topics)
    directory = Path(tempfile.mkdtemp(prefix="bench-"))
    assignment = Assignment(
        servers=bench.servers,
        application=application,
        input=work.input,
        output=topics[0],
        partitions=bench.partitions,
        directory=str(directory),
        store=contender.store,
    )
    log = (keep_logs or directory) / f"{application}.log"
    contestant = Contestant(contender.command(assignment), log, directory, processors=processors)

    def is_complete(written: int) -> bool:
        return work.may_be_complete(written) and (
            not contender.commits or bench.lag(application, work.inputs) == 0
        )

    try:
        timing = observe(
            bench,
            topics,
            baseline=sum(start.values()),
            is_complete=is_complete,
            is_alive=lambda: contestant.alive,
            patience_seconds=patience_seconds,
            limit_seconds=limit_seconds,
        )
        spent: dict[str, Any] = {
            "processor_seconds": contestant.cpu_seconds,
            "memory_bytes": contestant.memory_bytes,
        }
    except NothingHappenedError as error:
        contestant.stop()
        return _failed(contender, number, f"{error}: {contestant.last_words()}")
    finally:
        contestant.stop()
        words = contestant.last_words()
        shutil.rmtree(directory, ignore_errors=True)
    bench.wait_until_settled(topics)
    verdict = work.verify(bench, application, start, partly=timing.cut_short)
    changelogs = [topic for topic in bench.topics(application) if "changelog" in topic]
    measurement = Measurement(
        contender=contender.name,
        round=number,
        records_per_second=_rate(timing, verdict),
        seconds=timing.seconds,
        outputs=verdict.outputs,
        changelog_records=sum(1 for _ in bench.read(changelogs)) if changelogs else None,
        records=verdict.records,
        cut_short=timing.cut_short,
        wrong=verdict.wrong or (None if timing.finished or timing.cut_short else f"did not finish: {words}"),
        counts=verdict.counts,
        **spent,
    )
    bench.delete(application)
    return measurement


def _rate(timing: Timing, verdict: Verdict) -> float:
    if timing.finished or timing.cut_short:
        return verdict.records * timing.share / timing.seconds
    return 0.0


def _failed(contender: Contender, number: int, reason: str) -> Measurement:
    return Measurement(
        contender=contender.name,
        round=number,
        records_per_second=0.0,
        seconds=0.0,
        records=0,
        outputs=0,
        changelog_records=None,
        processor_seconds=None,
        memory_bytes=None,
        wrong=reason,
        counts={},
    )
