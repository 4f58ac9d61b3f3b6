"""Where the command line prints: data to standard output, all else to standard error."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

PLAIN_WIDTH = 160
"""Columns of a table that goes to a file or a pipe, which have no width of their own."""


class Format(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSONL = "jsonl"
    JSON = "json"


Output = Annotated[
    Format,
    typer.Option(
        "--output", "-o", help="`table` for people, `jsonl` one object a line, `json` one document."
    ),
]


def data_console() -> Console:
    """Standard output, for people. Made anew each time: tests replace the stream."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)


def note_console() -> Console:
    """Standard error, for all that is not data."""
    return Console(file=sys.stderr, width=None if sys.stderr.isatty() else PLAIN_WIDTH, highlight=False)


def note(text: str) -> None:
    """Tell the person something that is not data. Markup in it is not interpreted."""
    note_console().print(text, markup=False, soft_wrap=True)


def print_line(text: str) -> None:
    """One line of data."""
    sys.stdout.write(f"{text}\n")


def print_json_lines(lines: Iterable[str]) -> None:
    """Each object, given as a line of JSON, as it comes."""
    for line in lines:
        print_line(line)


def print_json_array(lines: Iterable[str]) -> None:
    """All objects, given as lines of JSON, as one array, as they come."""
    before = "[\n"
    for line in lines:
        sys.stdout.write(before + line)
        before = ",\n"
    print_line("[]" if before == "[\n" else "\n]")


def print_json(value: Any) -> None:
    """One value as an indented JSON document."""
    print_line(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """A table for people: without lines, so that it can be read, searched and pasted."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    data_console().print(table, markup=False)


def print_rows(rows: Sequence[Mapping[str, Any]], output: Format) -> None:
    """Print rows that have the same names each, in the format that was asked for."""
    if output is Format.TABLE:
        print_table(rows[0] if rows else (), ([_cell(value) for value in row.values()] for row in rows))
    elif output is Format.JSON:
        print_json(rows)
    else:
        for row in rows:
            print_line(msgspec.json.encode(row).decode())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "-"
    return str(value)
