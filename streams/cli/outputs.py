"""How commands and decisions are printed: as lines of JSON, or as lines of a table for people."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from streams.cli.console import Format, print_json_array, print_json_lines, print_table
from streams.dunning.commands import AccountCommand, DecisionRecord, NotificationCommand, Reason
from streams.lab.simulate import Output
from streams.messages.currencies import in_major_units
from streams.messages.history import to_json_line

COLUMNS = ("time", "customer", "what", "about", "detail")
"""The columns of `row`."""


def moment(at: datetime) -> str:
    """A time for people, to the second, in UTC."""
    return at.strftime("%Y-%m-%d %H:%M:%SZ")


def money(amount_minor: int | None, currency: str | None) -> str:
    """An amount in its currency's major unit; empty if there is none."""
    if amount_minor is None or currency is None:
        return ""
    return in_major_units(amount_minor, currency)


def print_outputs(outputs: Iterable[Output], output: Format) -> None:
    """Print commands and decisions in the format that was asked for."""
    if output is Format.JSONL:
        print_json_lines(map(to_json_line, outputs))
    elif output is Format.JSON:
        print_json_array(map(to_json_line, outputs))
    else:
        print_table(COLUMNS, (line for each in outputs for line in row(each)))


def row(output: Output) -> Iterator[tuple[str, ...]]:
    """One line for a command; one for each outcome of a decision."""
    at = moment(output.decided_at)
    if isinstance(output, NotificationCommand):
        later = f", from {moment(output.send_after)}" if output.send_after > output.decided_at else ""
        about = f"{output.step_id} {money(output.total_minor, output.currency)}".strip()
        yield (
            at,
            output.customer_id,
            f"→ {output.channel}",
            about,
            f"{output.subject or output.template}{later}",
        )
    elif isinstance(output, AccountCommand):
        total = money(output.total_minor, output.currency)
        about = f"{output.subscription_id or 'the account'} {total}".strip()
        yield (at, output.customer_id, f"→ {output.action}", about, output.reason)
    else:
        for outcome in output.outcomes:
            yield (at, output.customer_id, outcome.outcome, _about(outcome), _why(output, outcome))


def _about(reason: Reason) -> str:
    parts = (reason.step_id, reason.channel, reason.invoice_id)
    return " ".join(part for part in parts if part is not None)


def _why(record: DecisionRecord, reason: Reason) -> str:
    parts = [reason.reason, f"on {record.input.kind}"]
    if reason.missing:
        parts.append(f"missing {', '.join(reason.missing)}")
    if reason.until is not None:
        parts.append(f"until {moment(reason.until)}")
    return "; ".join(parts)
