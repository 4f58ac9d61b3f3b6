"""Progress through virtual time: a bar on a terminal, an occasional line elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

_LINES = 10
"""So many lines in all where there is no terminal."""


@contextmanager
def virtual_time_progress(
    console: Console, start: datetime, end: datetime
) -> Iterator[Callable[[datetime], None]]:
    """Shows how far virtual time has come; gives the function that is to be told.

    Args:
        console: where to show it.
        start: where virtual time begins (UTC).
        end: where it ends.
    """
    span = max((end - start).total_seconds(), 1.0)
    if not console.is_terminal:
        yield _plain(console, start, span)
        return
    bar = Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("day {task.fields[day]} of {task.fields[days]}"),
        TimeElapsedColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task(f"{start:%Y-%m-%d}", total=span, day=0, days=round(span / 86_400))

        def report(moment: datetime) -> None:
            done = max((moment - start).total_seconds(), 0.0)
            bar.update(task, completed=done, description=f"{moment:%Y-%m-%d}", day=int(done / 86_400))

        yield report


def _plain(console: Console, start: datetime, span: float) -> Callable[[datetime], None]:
    shown = 0

    def report(moment: datetime) -> None:
        nonlocal shown
        part = int((moment - start).total_seconds() / span * _LINES)
        if part > shown:
            shown = part
            console.print(f"{moment:%Y-%m-%d}: {part * 100 // _LINES}%", markup=False)

    return report
