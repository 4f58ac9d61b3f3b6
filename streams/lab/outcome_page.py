"""The report on outcomes as one HTML document, which loads nothing: no script, no font, no picture."""

from pathlib import Path
from typing import NamedTuple

import jinja2

from streams.dunning.measures import About, Counts
from streams.lab.outcome_charts import MOST_LINES, bars, curves, funnel
from streams.lab.outcome_report import (
    Attribution,
    CaseRow,
    CurvePoint,
    OutcomeReport,
    outcome_report,
    recovery_curve,
)
from streams.messages.currencies import in_major_units

__all__ = ["amounts", "outcome_page", "percent"]


def percent(share: float | None) -> str:
    """A share for people; a dash where there is nothing to divide by."""
    return "-" if share is None else f"{share:.1%}"


def amounts(minor: dict[str, int]) -> str:
    """Amounts by currency for people."""
    return "; ".join(in_major_units(amount, currency) for currency, amount in minor.items()) or "-"


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _decimal(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _ends(counts: dict[str, int]) -> str:
    return "; ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items()) or "-"


_ENVIRONMENT = jinja2.Environment(
    autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
)
_ENVIRONMENT.filters.update(percent=percent, amounts=amounts, number=_number, decimal=_decimal, ends=_ends)
_PAGE = _ENVIRONMENT.from_string(Path(__file__).with_name("outcome_page.html").read_text(encoding="utf-8"))


class _Curve(NamedTuple):
    name: str
    points: tuple[CurvePoint, ...]


def outcome_page(counts: Counts, report: OutcomeReport, *, source: str, made: str) -> str:
    """The report as a page, with plots of the debts: by day, by step of the ladder, by segment.

    Args:
        counts: what the report was made of.
        report: its tables are shown.
        source: where the counts are from, for people.
        made: when, for people.
    """
    debts = {group: counted for group, counted in counts.items() if group.about == About.DEBT}
    whole = outcome_report(debts, (), report.attribution)
    by_segment = outcome_report(debts, ("segment",), report.attribution)
    ladder = outcome_report(debts, ("step",), report.attribution)
    total: CaseRow | None = whole.cases[0] if whole.cases else None
    largest = sorted(by_segment.cases, key=lambda row: -row.failed)[: MOST_LINES - 1]
    lines = [_Curve("all", whole.recovery_curve)]
    if len(by_segment.cases) > 1:
        lines += [_Curve(row.by["segment"], _curve_of(debts, row.by["segment"])) for row in largest]
    return _PAGE.render(
        report=report,
        total=total,
        curves=curves(lines),
        funnel=funnel(ladder.contacts),
        bars=bars(by_segment.cases, "segment"),
        source=source,
        made=made,
        attribution=report.attribution.value,
        credit="the last contact before it"
        if report.attribution is Attribution.LAST
        else "every contact before it",
    )


def _curve_of(debts: Counts, segment: str) -> tuple[CurvePoint, ...]:
    return tuple(
        recovery_curve(counted for group, counted in debts.items() if (group.segment or "-") == segment)
    )
