"""The geometry of the report's plots: what a template needs to draw them as SVG, in its units."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from streams.lab.outcome_report import CaseRow, ContactRow, CurvePoint

__all__ = ["MOST_LINES", "Bar", "Curves", "Funnel", "bars", "curves", "funnel"]

MOST_LINES = 6
"""Lines of a plot: so many can be told apart by colour and dash. The largest groups have one."""

_WIDTH, _HEIGHT = 720, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 12, 40
_FEWEST_DAYS = 7
_LABEL = 190
_NUMBERS = 250
_ROW = 34


class Tick(NamedTuple):
    """A mark on an axis: where, and what it says."""

    at: float
    text: str


class Line(NamedTuple):
    """A group's line: its place in the legend chooses colour and dash."""

    name: str
    path: str
    last: str


class Curves(NamedTuple):
    """Recovery by day, one line a group."""

    width: int
    height: int
    left: int
    right: float
    bottom: float
    lines: tuple[Line, ...]
    days: tuple[Tick, ...]
    shares: tuple[Tick, ...]


class Stage(NamedTuple):
    """A bar within a row of the funnel, the later ones within the earlier."""

    name: str
    reached: int
    width: float
    height: float
    y: float


class FunnelRow(NamedTuple):
    """A step of the ladder."""

    name: str
    day: str
    y: int
    stages: tuple[Stage, ...]


class Funnel(NamedTuple):
    """The steps of the ladder in order, and how many of each got how far."""

    width: int
    height: int
    left: int
    rows: tuple[FunnelRow, ...]


class Bar(NamedTuple):
    """A group's share, as a bar of a plot that is `100` wide."""

    name: str
    share: float
    text: str


def curves(groups: Sequence[tuple[str, Sequence[CurvePoint]]]) -> Curves:
    """The recovery curves of some groups, the whole first. A curve stays level after its last payment."""
    drawn = [(name, points) for name, points in groups if points][:MOST_LINES]
    last = max((points[-1].day for _, points in drawn), default=0)
    days = max(_FEWEST_DAYS, last)
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def x(day: float) -> float:
        return round(_LEFT + (right - _LEFT) * day / days, 1)

    def y(share: float) -> float:
        return round(bottom - (bottom - _TOP) * share, 1)

    def path(points: Sequence[CurvePoint]) -> str:
        # What is paid within a day is known at its end: steps, not slopes.
        steps = [f"M{x(0)} {y(points[0].share)}"]
        steps += [f"H{x(point.day)}V{y(point.share)}" for point in points[1:]]
        return "".join([*steps, f"H{x(days)}"])

    every = next((step for step in (1, 2, 5, 7, 10, 14, 20, 30) if days / step <= 12), 30)
    return Curves(
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        right=right,
        bottom=bottom,
        lines=tuple(Line(name, path(points), f"{points[-1].share:.0%}") for name, points in drawn),
        days=tuple(Tick(x(day), str(day)) for day in range(0, days + 1, every)),
        shares=tuple(Tick(y(share / 4), f"{share / 4:.0%}") for share in range(5)),
    )


def funnel(steps: Iterable[ContactRow]) -> Funnel:
    """How far the contacts of each step got."""
    rows = list(steps)
    most = max((row.sent for row in rows), default=0) or 1
    space = _WIDTH - _LABEL - _NUMBERS

    def stage(name: str, count: int, height: float) -> Stage:
        return Stage(name, count, round(space * count / most, 1), height, round((22 - height) / 2, 1))

    return Funnel(
        width=_WIDTH,
        height=_ROW * len(rows) + 8,
        left=_LABEL,
        rows=tuple(
            FunnelRow(
                name=row.by.get("step", "-"),
                day="" if row.mean_day is None else f"day {row.mean_day:.0f}",
                y=8 + _ROW * place,
                stages=(
                    stage("sent", row.sent, 22),
                    stage("opened", row.opened, 16),
                    stage("responded", row.responded, 10),
                    stage("paid", row.paid, 4),
                ),
            )
            for place, row in enumerate(rows)
        ),
    )


def bars(rows: Iterable[CaseRow], by: str) -> tuple[Bar, ...]:
    """The recovery rate of each group."""
    return tuple(
        Bar(row.by[by], 100 * (row.recovery_rate or 0.0), f"{row.paid:,} of {row.failed:,} paid")
        for row in rows
    )
