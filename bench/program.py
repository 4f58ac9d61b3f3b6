"""What the small programs share: their common options, and their way of saying what they found."""

import argparse
import math
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import report
from bench.environment import machine
from bench.results import write_markdown

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


class Program:
    """One program.

    Args:
        name: its module's, and that of its JSON.
        title: its heading.
        description: for ``--help``.
    """

    def __init__(self, name: str, title: str, description: str | None) -> None:
        self._name = name
        self._title = title
        self.parser = argparse.ArgumentParser(
            prog=f"python -m bench.programs.{name}", description=description
        )
        self.parser.add_argument("--date", help="for RESULTS.md; today unless given")
        self.parser.add_argument("--no-results", action="store_true", help="print only")

    def finish(
        self,
        given: argparse.Namespace,
        headings: Sequence[str],
        lines: Sequence[Sequence[str]],
        notes: Sequence[str] = (),
        data: Any = None,
    ) -> None:
        """Print the table, the command and the machine; write JSON and RESULTS.md unless told not to."""
        command = shlex.join(["python", "-m", f"bench.programs.{self._name}", *sys.argv[1:]])
        date = given.date or datetime.now(UTC).date().isoformat()
        facts = machine()
        print(f"\n{self._title}")
        print(report.text_table(headings, lines))
        print("\n".join(notes))
        print(
            f"{command} on {date}: {', '.join(f'{name} {value}' for name, value in facts.items())}",
            flush=True,
        )
        if given.no_results:
            return
        report.write_json(
            RESULTS / f"{self._name}.json",
            {
                "title": self._title,
                "command": command,
                "date": date,
                "machine": facts,
                "table": {"headings": headings, "lines": lines},
                "notes": list(notes),
                "data": data,
            },
        )
        write_markdown(HERE / "RESULTS.md", RESULTS)


def aim(label: str, value: float, wanted: float, unit: str, *, at_most: bool = False) -> str:
    """A line that says whether an aim is met."""
    met = value <= wanted if at_most else value >= wanted
    bound = "at most" if at_most else "at least"
    return f"{label}: {value:,.4g} {unit}, aim {bound} {wanted:,.4g}: {'met' if met else 'MISSED'}"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
