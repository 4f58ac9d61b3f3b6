"""`dunning report`: what came of the contacts, the debts and the reminders."""

from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from streams.cli.clients import command_settings, connect
from streams.cli.console import Format, Output, note, print_json, print_line, print_table
from streams.cli.histories import load_history
from streams.cli.outcome_counts import read_outcomes
from streams.cli.outputs import moment
from streams.cli.parameters import TickEvery, Until
from streams.cli.simulate import PolicyOption
from streams.dunning.measures import Counts
from streams.lab.outcome_page import amounts, outcome_page, percent
from streams.lab.outcome_report import (
    DIMENSIONS,
    Attribution,
    CaseRow,
    ContactRow,
    OutcomeReport,
    PlanRow,
    outcome_report,
)
from streams.lab.simulate import simulate
from streams.lab.ticks import DEFAULT_TICK_INTERVAL
from streams.policy import load

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def parse_dimensions(text: str) -> tuple[str, ...]:
    """Names of dimensions with commas between. `-` is none of them.

    Raises:
        typer.BadParameter: There is no such dimension.
    """
    names = tuple(dict.fromkeys(each.strip() for each in text.split(",") if each.strip() not in {"", "-"}))
    for name in names:
        if name not in DIMENSIONS:
            close = get_close_matches(name, DIMENSIONS, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"there is: {', '.join(DIMENSIONS)}"
            raise typer.BadParameter(f"nothing is counted by {name!r}; {hint}")
    return names


@app.command(short_help="Rates, payments and times by step, channel, segment, arm ...; also as a page.")
def report(
    *,
    by: Annotated[
        str,
        typer.Option(
            "--by", metavar="DIMENSION,...", help=f"Rows: {', '.join(DIMENSIONS)}; `-` for one row in all."
        ),
    ] = "about,step",
    attribution: Annotated[
        Attribution,
        typer.Option(
            "--attribution",
            help="Which contacts have the credit for a payment: the last one before it, or any before it.",
        ),
    ] = Attribution.LAST,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write a page with plots as well; it opens without a network."
        ),
    ] = None,
    history: Annotated[
        str | None,
        typer.Option(
            "--history",
            metavar="HISTORY.jsonl",
            help="Simulate this history and report on it, without Kafka; `-` reads standard input.",
        ),
    ] = None,
    policy: PolicyOption = "care",
    until: Until = None,
    tick_every: TickEvery = DEFAULT_TICK_INTERVAL,
    output: Output = Format.TABLE,
) -> None:
    """Show what came of dunning: open, response and payment rates, recovered amounts, times to payment.

    Reads what the workers have counted up to now: the changelog of their table of outcomes, committed records
    only, added up over all partitions. With --history the pure simulator counts instead, by --policy, up to
    --until; the figures are those that a worker would have counted of the same events.

    Rates are of contacts that did not bounce. docs/outcomes.md says what each figure means.
    """
    dimensions = parse_dimensions(by)
    if history is None:
        counts, source = _counted()
    else:
        counts = {}
        for _ in simulate(load_history(history), load(policy), until, tick_every, counts=counts):
            pass
        source = f"simulated from {history} by the policy {policy}"
    found = outcome_report(counts, dimensions, attribution)
    if html is not None:
        made = moment(datetime.now(UTC))
        html.write_text(outcome_page(counts, found, source=source, made=made), encoding="utf-8")
        note(f"wrote {html}")
    _print(found, output)


def _counted() -> tuple[Counts, str]:
    settings = command_settings()
    connect(settings)
    counts = read_outcomes(settings)
    return counts, f"counted by the workers of {settings.application_id}"


def _print(found: OutcomeReport, output: Format) -> None:
    if output is Format.JSON:
        print_json(found)
        return
    tables = {"contacts": found.contacts, "debts": found.cases, "reminders": found.plans}
    if output is Format.JSONL:
        for name, rows in tables.items():
            for row in rows:
                print_line(msgspec.json.encode({"table": name, **msgspec.to_builtins(row)}).decode())
        return
    _table("debts", [_case_cells(row) for row in found.cases])
    _table(
        f"contacts, payments credited to {_CREDITED[found.attribution]}",
        [_contact_cells(row) for row in found.contacts],
    )
    _table("reminders", [_plan_cells(row) for row in found.plans])
    if not found.cases and not found.contacts:
        note("nothing is counted yet")


_CREDITED = {Attribution.LAST: "the last contact", Attribution.ANY: "any contact before them"}


def _table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    print_line(title)
    print_table(rows[0], (["-" if value is None else str(value) for value in row.values()] for row in rows))
    print_line("")


def _contact_cells(row: ContactRow) -> dict[str, Any]:
    return {
        **row.by,
        "sent": row.sent,
        "bounced": row.bounced,
        "opened": percent(row.open_rate),
        "responded": percent(row.response_rate),
        "paid": row.paid,
        "paid %": percent(row.payment_rate),
        "median days": row.median_days_to_payment,
        "amount": amounts(row.amount_minor),
    }


def _case_cells(row: CaseRow) -> dict[str, Any]:
    return {
        **row.by,
        "failed": row.failed,
        "paid": row.paid,
        "recovered": percent(row.recovery_rate),
        "median days": row.median_days_to_payment,
        "open": row.open,
        "left": _why(row.settled),
        "suspended": row.suspended,
        "amount failed": amounts(row.failed_minor),
        "amount paid": amounts(row.paid_minor),
    }


def _plan_cells(row: PlanRow) -> dict[str, Any]:
    return {
        **row.by,
        "plans": row.plans,
        "ended": _why(row.ended),
        "renewed": percent(row.renewal_rate),
        "of reminded": percent(row.renewal_rate_reminded),
    }


def _why(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()) or "-"
