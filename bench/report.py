"""Tables, RESULTS.md and JSON."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.catalogue import Contender
from bench.measure import Measurement


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A contender over all rounds; medians of the rounds that were right."""

    contender: str
    title: str
    rounds: int
    wrong: int
    median: float
    lowest: float
    highest: float
    ratio: float | None
    processor_microseconds: float | None
    changelog_share: float | None
    outputs: int
    cut_short: bool


def rows(entries: Sequence[Contender], measurements: Iterable[Measurement]) -> list[Row]:
    """One row per contender, in the catalogue's order; ratios are our first entry's rate over theirs."""
    by_name: dict[str, list[Measurement]] = {each.name: [] for each in entries}
    for measurement in measurements:
        by_name[measurement.contender].append(measurement)
    found: list[Row] = []
    base: float | None = None
    for entry in entries:
        all_rounds = by_name[entry.name]
        good = [each for each in all_rounds if each.wrong is None]
        rates = [each.records_per_second for each in good] or [0.0]
        median = statistics.median(rates)
        if base is None and entry.name.startswith("ours") and median:
            base = median
        found.append(
            Row(
                contender=entry.name,
                title=entry.title,
                rounds=len(all_rounds),
                wrong=len(all_rounds) - len(good),
                median=median,
                lowest=min(rates),
                highest=max(rates),
                ratio=base / median if base and median else None,
                processor_microseconds=_median(
                    each.processor_seconds * 1e6 / each.records
                    for each in good
                    if each.processor_seconds is not None and each.records
                ),
                changelog_share=_median(
                    each.changelog_records / each.outputs
                    for each in good
                    if each.changelog_records is not None and each.outputs
                ),
                outputs=int(statistics.median([each.outputs for each in all_rounds] or [0])),
                cut_short=any(each.cut_short for each in all_rounds),
            )
        )
    return found


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return statistics.median(found) if found else None


HEADINGS = (
    "contender",
    "records/s (median)",
    "min-max",
    "ours / it",
    "CPU µs/record",
    "changelog/output",
    "outputs",
    "right",
)


def cells(row: Row) -> tuple[str, ...]:
    """A row as text."""
    return (
        row.title + (" *" if row.cut_short else ""),
        f"{row.median:,.0f}",
        f"{row.lowest:,.0f}-{row.highest:,.0f}",
        "-" if row.ratio is None else f"{row.ratio:.2f}",
        "-" if row.processor_microseconds is None else f"{row.processor_microseconds:.1f}",
        "-" if row.changelog_share is None else f"{row.changelog_share:.2f}",
        f"{row.outputs:,}",
        "yes" if not row.wrong else f"WRONG in {row.wrong} of {row.rounds}",
    )


def text_table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """For a terminal: the first column to the left, the others to the right."""
    widths = [max(len(each[place]) for each in (headings, *lines)) for place in range(len(headings))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (headings, *lines)
    )


def markdown_table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """For RESULTS.md."""
    rule = ["---", *["---:"] * (len(headings) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (headings, rule, *lines))


def aims(job: str, found: Sequence[Row], *, pinned: bool) -> list[str]:
    """The ratios that are aimed at, and what they are in this run."""
    rates = {row.contender: row.median for row in found if row.median and not row.wrong}
    wanted: list[tuple[str, str, float, str]] = []
    if job == "engine":
        wanted += [("ours-memory", "quix", 2.0, ""), ("ours-rocksdb", "quix", 2.0, "")]
        wanted += [("ours-memory", "loop", 0.9, "")]
        wanted += [("ours-memory", "kafka-streams", 1.0, "" if pinned else " (aimed at on one core only)")]
    else:
        wanted += [("ours-memory", "quix", 1.3, ""), ("ours-rocksdb", "quix", 1.3, "")]
        wanted += [("ours-memory", "loop", 0.9, "")]
    lines = []
    for ours, theirs, aim, remark in wanted:
        if ours in rates and theirs in rates:
            ratio = rates[ours] / rates[theirs]
            met = "met" if ratio >= aim else "MISSED"
            lines.append(f"{ours} / {theirs}: {ratio:.2f}, aim {aim:.1f}: {met}{remark}")
    return lines


def differences(entries: Sequence[Contender]) -> str:
    """What each contender guarantees and does differently, as a table."""
    return markdown_table(
        ("contender", "after a crash", "what differs"),
        [(each.title, each.guarantee, each.differs) for each in entries],
    ).replace("---:", "---")


def faults(measurements: Iterable[Measurement]) -> list[str]:
    """What was wrong, in a line each."""
    return [
        f"{each.contender}, round {each.round}: {each.wrong.splitlines()[0] if each.wrong else ''}"
        for each in measurements
        if each.wrong is not None
    ]


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """For programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
