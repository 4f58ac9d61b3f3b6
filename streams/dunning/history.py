"""The past in numbers: what an event adds to it, and how it fades.

An event counts from its arrival, once. What the engine never had to follow up (a failure that was settled
before it was heard of, an amount of zero) is not counted.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from streams.dunning.events import (
    CustomerEvent,
    Feedback,
    FeedbackKind,
    PaymentFailed,
    PaymentRecovered,
    PaymentReversed,
    SubscriptionChanged,
)
from streams.dunning.policy import Policy
from streams.dunning.state import COUNTED_ONCE, CustomerState, History, Invoice
from streams.dunning.turn import Turn

_DAY = timedelta(days=1)


def faded(history: History, clock: datetime, policy: Policy) -> History | None:
    """The history at the clock: halved for each time that has passed; None when nothing is left of it."""
    times = (clock - history.halved_at) // policy.history.halved_every
    if times <= 0:
        return history
    paid = {currency: left for currency, minor in history.paid.items() if (left := minor >> times)}
    now = History(
        halved_at=history.halved_at + times * policy.history.halved_every,
        failed_payments=history.failed_payments >> times,
        late_payments=history.late_payments >> times,
        days_late=history.days_late >> times,
        downgrades=history.downgrades >> times,
        complaints=history.complaints >> times,
        cases=history.cases >> times,
        case_ended_at=history.case_ended_at,
        paid=paid,
    )
    counts = (now.failed_payments, now.late_payments, now.days_late, now.downgrades, now.complaints)
    return now if any(counts) or now.cases or paid else None


def fade(turn: Turn) -> None:
    """Let the history fade up to the clock."""
    history = turn.state.history
    if history is not None and turn.clock - history.halved_at >= turn.policy.history.halved_every:
        turn.state = replace(turn.state, history=faded(history, turn.clock, turn.policy))


def remember(turn: Turn, before: CustomerState, event: CustomerEvent) -> None:
    """Count what an event has done to the customer, of whom `before` was known."""
    counted = _COUNTED.get(type(event))
    if counted is not None:
        counted(turn, before, event)
    if turn.state.cases is not before.cases:
        _cases(turn, before)


def _payment_failed(turn: Turn, before: CustomerState, event: PaymentFailed | PaymentReversed) -> None:
    """An invoice fails once, however often it is tried."""
    owed = _owed(turn.state, event.invoice_id)
    if owed is not None and _owed(before, event.invoice_id) is None:
        _add(turn, failed_payments=1)


def _payment_reversed(turn: Turn, before: CustomerState, event: PaymentReversed) -> None:
    _payment_failed(turn, before, event)
    history = turn.state.history
    if history is not None and event.currency in history.paid:
        left = max(0, history.paid[event.currency] - event.amount_minor)
        turn.state = replace(
            turn.state, history=replace(history, paid={**history.paid, event.currency: left})
        )


def _payment_recovered(turn: Turn, before: CustomerState, event: PaymentRecovered) -> None:
    late = _owed(before, event.invoice_id)
    if late is not None and _owed(turn.state, event.invoice_id) is None:
        _add(turn, late_payments=1, days_late=max(0, (event.occurred_at - late.owed_since) // _DAY))
    if event.amount_minor > 0 and all(each.invoice_id != event.invoice_id for each in before.settlements):
        _pay(turn, event.currency, event.amount_minor)


def _subscription_changed(turn: Turn, before: CustomerState, event: SubscriptionChanged) -> None:  # noqa: ARG001 - as all of them
    if event.change == "downgrade":
        _add(turn, downgrades=1)


def _feedback(turn: Turn, before: CustomerState, event: Feedback) -> None:  # noqa: ARG001 - as all of them
    if event.kind is FeedbackKind.COMPLAINED:
        _add(turn, complaints=1)


_COUNTED: dict[type, Callable[[Turn, CustomerState, Any], None]] = {
    PaymentFailed: _payment_failed,
    PaymentReversed: _payment_reversed,
    PaymentRecovered: _payment_recovered,
    SubscriptionChanged: _subscription_changed,
    Feedback: _feedback,
}


def _owed(state: CustomerState, invoice_id: str) -> Invoice | None:
    return next(
        (each for case in state.cases for each in case.invoices if each.invoice_id == invoice_id), None
    )


def _cases(turn: Turn, before: CustomerState) -> None:
    known = {case.case_id for case in before.cases}
    live = {case.case_id for case in turn.state.cases}
    if opened := len(live - known):
        _add(turn, cases=opened)
    if known - live:
        history = _history(turn)
        turn.state = replace(turn.state, history=replace(history, case_ended_at=turn.clock))


def _history(turn: Turn) -> History:
    return turn.state.history or History(halved_at=turn.clock)


def _add(turn: Turn, **counts: int) -> None:
    history, most = _history(turn), turn.policy.history.most * COUNTED_ONCE
    added = {name: min(getattr(history, name) + count * COUNTED_ONCE, most) for name, count in counts.items()}
    turn.state = replace(turn.state, history=replace(history, **added))


def _pay(turn: Turn, currency: str, amount_minor: int) -> None:
    """Add to what was paid in a currency; the currency of the latest payment stands last."""
    history = _history(turn)
    others = {name: minor for name, minor in history.paid.items() if name != currency}
    paid = {**others, currency: history.paid.get(currency, 0) + amount_minor}
    kept = list(paid.items())[-turn.policy.history.currencies :]
    turn.state = replace(turn.state, history=replace(history, paid=dict(kept)))
