"""Starts a Kafka of its own, prepares inputs once, runs every contender in turn, in several rounds."""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import report
from bench.assignment import COMPRESSION, RECORDS_PER_TRANSACTION
from bench.catalogue import Contender, Job, contenders
from bench.cluster import Bench
from bench.dunning_work import DunningWork
from bench.engine_work import EngineWork
from bench.environment import UnavailableError, machine
from bench.jobs import Work
from bench.measure import Measurement, measure
from bench.process import on_processors
from bench.results import write_markdown
from streams.broker import LocalKafka

HERE = Path(__file__).resolve().parent

_RECORDS = {Job.ENGINE: 1_000_000, Job.DUNNING: 200_000}
_QUICK_RECORDS = {Job.ENGINE: 20_000, Job.DUNNING: 5_000}
_CUSTOMERS = 10_000
_PARTITIONS = 8
_PATIENCE_SECONDS = 60.0
_LIMIT_SECONDS = 60.0


def main(arguments: Sequence[str]) -> int:
    """Run it; 1 if a contender's outputs were wrong."""
    given = _parser().parse_args(arguments)
    if given.quick:
        given.rounds = given.rounds or 1
    rounds = given.rounds or 5
    jobs = [Job(given.job)] if given.job != "all" else list(Job)
    origin: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "bench", *arguments]),
        "date": given.date or datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "pinned_to": given.pin,
    }
    try:
        ours, theirs = _processors(given.pin)
        for job in jobs:
            contenders(job, given.contenders)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    wrong = False
    with on_processors(theirs), LocalKafka.start() as kafka:
        bench = Bench(kafka.bootstrap_servers, _PARTITIONS)
        for job in jobs:
            records = given.records or (_QUICK_RECORDS if given.quick else _RECORDS)[job]
            found = _run_job(bench, job, given, records=records, rounds=rounds, processors=ours)
            wrong = wrong or any(each.wrong is not None for each in found["measurements"])
            if not given.no_results:
                suffix = "" if given.pin is None else "-pinned"
                path = HERE / "results" / f"{job}{suffix}.json"
                report.write_json(path, {**origin, "job": job.value, **found})
                write_markdown(HERE / "RESULTS.md", HERE / "results")
    return 1 if wrong else 0


def _run_job(
    bench: Bench,
    job: Job,
    given: argparse.Namespace,
    *,
    records: int,
    rounds: int,
    processors: set[int] | None,
) -> dict[str, Any]:
    entries, missing = _available(contenders(job, given.contenders))
    work: Work = EngineWork(records, given.customers) if job is Job.ENGINE else DunningWork(records)
    print(f"{job} job: preparing {records:,} records ...", file=sys.stderr, flush=True)
    work.prepare(bench)
    measurements: list[Measurement] = []
    for number in range(1, rounds + 1):
        # Each round begins with another contender, so that none always runs on a machine just warmed up.
        first = (number - 1) % len(entries) if entries else 0
        for entry in (*entries[first:], *entries[:first]):
            began = time.monotonic()
            found = measure(
                bench,
                work,
                entry,
                number,
                processors=processors,
                patience_seconds=_PATIENCE_SECONDS,
                limit_seconds=given.limit,
                keep_logs=given.logs,
            )
            measurements.append(found)
            print(_progress(found, entry, rounds, time.monotonic() - began), file=sys.stderr, flush=True)
    rows = report.rows(entries, measurements)
    lines = [report.cells(row) for row in rows]
    aims = report.aims(job.value, rows, pinned=given.pin is not None)
    print(f"\n{job} job, {work.records:,} records, {rounds} rounds")
    print(report.text_table(report.HEADINGS, lines))
    print("\n".join((*aims, *report.faults(measurements), *missing)), flush=True)
    return {
        "records": work.records,
        "rounds": rounds,
        "partitions": bench.partitions,
        "customers": given.customers if job is Job.ENGINE else None,
        "compression": COMPRESSION,
        "records_per_transaction": RECORDS_PER_TRANSACTION,
        "limit_seconds": given.limit,
        "rows": rows,
        "aims": aims,
        "missing": missing,
        "measurements": measurements,
    }


def _available(entries: Sequence[Contender]) -> tuple[list[Contender], list[str]]:
    found, missing = [], []
    for entry in entries:
        try:
            entry.prepare()
        except UnavailableError as error:
            missing.append(f"{entry.title} is left out: {error}")
        else:
            found.append(entry)
    return found, missing


def _progress(found: Measurement, entry: Contender, rounds: int, seconds: float) -> str:
    outcome = f"{found.records_per_second:,.0f} records/s" if found.wrong is None else f"WRONG: {found.wrong}"
    return f"  round {found.round} of {rounds}, {entry.title}: {outcome} ({seconds:.0f} s in all)"


def _processors(pin: int | None) -> tuple[set[int] | None, set[int] | None]:
    """Where contenders run, and where broker and harness run."""
    if pin is None:
        return None, None
    if not hasattr(os, "sched_getaffinity"):
        raise ValueError("this system cannot pin processes to a core")
    everything = os.sched_getaffinity(0)
    if pin not in everything or len(everything) < 2:
        raise ValueError(f"core {pin} is not one of at least two cores: {sorted(everything)}")
    return {pin}, everything - {pin}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--job", choices=[*(job.value for job in Job), "all"], default="all")
    parser.add_argument("--records", type=int, help="input records (engine 1,000,000, dunning 200,000)")
    parser.add_argument("--rounds", type=int, help="interleaved rounds (5)")
    parser.add_argument("--customers", type=int, default=_CUSTOMERS, help="keys of the engine job (10,000)")
    parser.add_argument(
        "--contenders", nargs="*", default=[], metavar="NAME", help='some of them; "all" with footnotes'
    )
    parser.add_argument("--pin", type=int, metavar="CPU", help="contenders on this core, the rest elsewhere")
    parser.add_argument(
        "--limit",
        type=float,
        default=_LIMIT_SECONDS,
        metavar="SECONDS",
        help="cut slow contenders short (60)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="little, once: shows that it works, measures nothing"
    )
    parser.add_argument("--date", help="for RESULTS.md; today unless given")
    parser.add_argument("--logs", type=Path, help="keep the contenders' logs in this directory")
    parser.add_argument("--no-results", action="store_true", help="print only")
    return parser
