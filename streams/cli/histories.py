"""Histories as commands take them: a file, or standard input."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from streams.messages.history import Arrival, parse_history, read_history

STANDARD_INPUT = "-"

HistoryArgument = Annotated[
    str,
    typer.Argument(metavar="HISTORY.jsonl", help="One event a line, as JSON; `-` reads standard input."),
]


def load_history(name: str) -> list[Arrival]:
    """The events in order of arrival.

    Raises:
        HistoryError: There are bad lines.
        OSError: The file cannot be read.
    """
    if name == STANDARD_INPUT:
        return parse_history(sys.stdin.buffer, source="standard input")
    return read_history(Path(name))
