"""RESULTS.md: written anew from all JSON files in `results`; runs of different days stand together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench import report
from bench.catalogue import COMMIT_INTERVAL_MS, CONTENDERS, Job
from bench.report import Row

_JOB_TITLES = {
    "engine": "Engine job: decode Avro, read state, write state and changelog, emit one record",
    "dunning": "Dunning job: the real `decide` with the policy `care`, all inputs and ticks",
}

_HOW_TO_READ = f"""\
Rates are input records per second between the first and the last commit, seen from outside by asking the
broker for the committed end of the outputs; start-up does not count. Rounds are interleaved; a row is the
median of its rounds. "ours / it" is the rate of our first row over that row's. "CPU" is the processor time of
the contender's process per record, start-up included. "Changelog/output" is how many changelog records it
wrote for one output. A row is right when each input led to exactly the outputs that it must. A contender
marked * was stopped at the time limit, and its rate is that of what it had committed by then.

Equal for all: the same input topics, compression, linger and batch size of the producer, the same Avro
library (but for Java), one process with one stream. Records per transaction: at most the number given where a
contender can be told; Kafka Streams commits every {COMMIT_INTERVAL_MS} ms, which at its speed is more."""


def write_markdown(path: Path, results: Path) -> None:
    """Put together what lies in the directory of results."""
    parts = ["# Results\n", _HOW_TO_READ, ""]
    for file in sorted(results.glob("*.json")):
        document = msgspec.json.decode(file.read_bytes())
        parts += _programs(document) if "table" in document else _job(document)
    for job in Job:
        entries = [each for each in CONTENDERS if each.job is job]
        parts += [f"## What differs: {job} job\n", report.differences(entries), ""]
    path.write_text("\n".join(parts))


def _job(job: Mapping[str, Any]) -> list[str]:
    pinned = "" if job["pinned_to"] is None else ", contenders pinned to one core"
    rows = [msgspec.convert(row, Row) for row in job["rows"]]
    keys = "" if job["customers"] is None else f", {job['customers']:,} keys"
    return [
        f"## {_JOB_TITLES[job['job']]}{pinned}\n",
        report.markdown_table(report.HEADINGS, [report.cells(row) for row in rows]),
        "",
        *(f"- {line}" for line in (*job["aims"], *job["missing"])),
        "",
        (
            f"{job['records']:,} records{keys}, {job['partitions']} partitions, {job['rounds']} rounds, "
            f"{job['compression']}, {job['records_per_transaction']:,} records per transaction, "
            f"cut short after {job['limit_seconds']:.0f} s. {_origin(job)}"
        ),
        "",
    ]


def _programs(document: Mapping[str, Any]) -> list[str]:
    return [
        f"## {document['title']}\n",
        report.markdown_table(document["table"]["headings"], document["table"]["lines"]),
        "",
        *(f"- {line}" for line in document["notes"]),
        "",
        _origin(document),
        "",
    ]


def _origin(document: Mapping[str, Any]) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in document["machine"].items())
    return f"`{document['command']}` on {document['date']}: {facts}."
