"""What happens to invoices: failures, payments, closings, disputes, reversals."""

from datetime import UTC, datetime

from msgspec.structs import replace

from streams.dunning.attribution import credited
from streams.dunning.bounds import (
    dispute_of,
    is_cancelled,
    may_be_paid,
    put_dispute,
    remember_cancelled,
    remember_settlement,
    settlement_of,
)
from streams.dunning.cases import case_with, close, merge_failure, refresh, settle, take_in
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.declines import classify, told_reason
from streams.dunning.events import (
    InvoiceClosed,
    PaymentFailed,
    PaymentRecovered,
    PaymentReversed,
    SubscriptionCancelled,
)
from streams.dunning.plans import renewal_paid, subscription_ended
from streams.dunning.policy import DeclineClass
from streams.dunning.renewals_due import charged, renewal_cancelled
from streams.dunning.retries import attempt_of, warn_of_retries
from streams.dunning.state import Case, Dispute, Invoice, Pending, PendingKind, Settlement
from streams.dunning.turn import Turn

# Later than any failure: takes an invoice out whatever has happened to it.
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)

_CLOSINGS = {
    "voided": ReasonCode.VOIDED,
    "written_off": ReasonCode.WRITTEN_OFF,
    "credited": ReasonCode.CREDITED,
}


def payment_failed(turn: Turn, event: PaymentFailed) -> None:
    """A failure opens a case, joins one, or is one more attempt of an invoice that is known."""
    decline_class = classify(event, turn.policy)
    failure = Invoice(
        invoice_id=event.invoice_id,
        subscription_id=event.subscription_id,
        currency=event.currency,
        amount_minor=event.amount_minor,
        failures=(event.occurred_at,),
        attempts=max(1, event.attempt or 1),
        decline_class=decline_class,
        next_retry_at=event.next_retry_at,
        card=event.card,
        pay_url=event.pay_url,
        told_reason=told_reason(event, decline_class, turn.policy),
        retries=attempt_of(event, turn.policy),
    )
    known = case_with(turn, event.invoice_id)
    if known is None:
        charged(turn, event)
    if known is not None and known.card_updated_at is not None and event.occurred_at <= known.card_updated_at:
        # It was the old card's attempt; the rules ask about the new one.
        failure = replace(failure, retries=None)
    case = _owe(turn, failure, event.event_id, ReasonCode.PAYMENT_FAILED)
    if case is None:
        return
    before = None if known is None else _invoice_of(known, event.invoice_id).retries
    warn_of_retries(turn, case, event, before)
    if case.dormant:
        return
    announced = _note_new_card(
        turn, case, event, announce=failure.decline_class is not DeclineClass.AUTHENTICATION
    )
    if announced or known is None:
        return
    latest = _invoice_of(case, event.invoice_id)
    is_latest = latest.failures[-1] == event.occurred_at
    if failure.decline_class is DeclineClass.AUTHENTICATION and is_latest:
        _ask_to_authenticate(turn, case, event)


def _invoice_of(case: Case, invoice_id: str) -> Invoice:
    return next(each for each in case.invoices if each.invoice_id == invoice_id)


def _note_new_card(turn: Turn, case: Case, event: PaymentFailed, *, announce: bool) -> bool:
    """A failure after a card update ends the wait for it; the customer hears of it once."""
    if case.card_updated_at is None or event.occurred_at <= case.card_updated_at:
        return False
    updated_at = case.card_updated_at
    turn.put_case(replace(case, card_updated_at=None, held_until=None))
    if not announce:
        return False
    turn.add_pending(
        Pending(
            kind=PendingKind.NEW_CARD_FAILED,
            case_id=case.case_id,
            due=turn.clock,
            occurrence=updated_at.isoformat(),
        )
    )
    return True


def _ask_to_authenticate(turn: Turn, case: Case, event: PaymentFailed) -> None:
    waiting = any(
        each.case_id == case.case_id and each.kind is PendingKind.AUTHENTICATION
        for each in turn.state.pending
    )
    if not waiting:
        turn.add_pending(
            Pending(
                kind=PendingKind.AUTHENTICATION,
                case_id=case.case_id,
                due=turn.clock,
                occurrence=event.event_id,
            )
        )


def payment_reversed(turn: Turn, event: PaymentReversed) -> None:
    """The invoice is unpaid again: a new case, linked to the one that its payment closed."""
    if event.reason not in turn.policy.reversals:
        turn.say(Outcome.IGNORED, ReasonCode.REVERSAL_NOT_PURSUED, invoice_id=event.invoice_id)
        return
    failure = Invoice(
        invoice_id=event.invoice_id,
        subscription_id=event.subscription_id,
        currency=event.currency,
        amount_minor=event.amount_minor,
        failures=(event.occurred_at,),
        attempts=1,
        # Nobody has said that it will be collected again: no message may promise it.
        decline_class=DeclineClass.HARD,
    )
    _owe(turn, failure, event.event_id, ReasonCode.PAYMENT_REVERSED)


def _owe(turn: Turn, failure: Invoice, event_id: str, reason: ReasonCode) -> Case | None:
    """Take in an unpaid invoice, unless something that is known already speaks against it."""
    state, invoice_id, at = turn.state, failure.invoice_id, failure.failures[0]
    if failure.amount_minor <= 0:
        turn.say(Outcome.IGNORED, ReasonCode.ZERO_AMOUNT, invoice_id=invoice_id)
        return None
    settlement = settlement_of(state, invoice_id)
    if settlement is not None and (settlement.for_good or settlement.at >= at):
        turn.say(Outcome.IGNORED, ReasonCode.SETTLED_BEFORE, invoice_id=invoice_id)
        return None
    if is_cancelled(state, failure.subscription_id):
        turn.say(Outcome.IGNORED, ReasonCode.SUBSCRIPTION_CANCELLED, invoice_id=invoice_id)
        return None
    failure = replace(failure, unconfirmed=may_be_paid(state, failure))
    dispute = dispute_of(state, invoice_id)
    if dispute is not None and dispute.is_open:
        parked = failure
        if dispute.parked is not None:
            parked = merge_failure(dispute.parked, failure, turn.policy.memory)
        put_dispute(turn, replace(dispute, parked=parked))
        turn.say(Outcome.RECORDED, ReasonCode.DISPUTED, invoice_id=invoice_id)
        return None
    if dispute is not None and dispute.at > at:
        failure = replace(failure, restarted_at=dispute.at)
    linked = None if settlement is None else settlement.case_id
    case = take_in(turn, failure, event_id, reason, linked)
    if case is not None and _invoice_of(case, invoice_id).unconfirmed:
        turn.say(Outcome.WARNED, ReasonCode.LIMIT_REACHED, case_id=case.case_id, invoice_id=invoice_id)
    return case


def payment_recovered(turn: Turn, event: PaymentRecovered) -> None:
    """An invoice was paid: it leaves its case, or a renewal was paid early."""
    invoice_id = event.invoice_id
    # An invoice that was settled before is told of again: it is no renewal's.
    known = settlement_of(turn.state, invoice_id) is not None or _is_parked(turn, invoice_id)
    before = turn.state
    if _settle(turn, invoice_id, event.occurred_at, ReasonCode.PAID):
        turn.state = credited(before, turn.state, event)
        return
    if known or not renewal_paid(turn, event):
        if not known:
            charged(turn, event)
        turn.say(Outcome.RECORDED, ReasonCode.NO_OPEN_CASE, invoice_id=invoice_id)


def invoice_closed(turn: Turn, event: InvoiceClosed) -> None:
    """An invoice is no longer to be collected, is in dispute, or its dispute was decided."""
    if event.reason == "disputed":
        _disputed(turn, event)
    elif event.reason == "dispute_won":
        _dispute_won(turn, event)
    elif not _settle(turn, event.invoice_id, event.occurred_at, _CLOSINGS[event.reason], for_good=True):
        turn.say(Outcome.RECORDED, ReasonCode.NO_OPEN_CASE, invoice_id=event.invoice_id)


def _settle(turn: Turn, invoice_id: str, at: datetime, reason: ReasonCode, *, for_good: bool = False) -> bool:
    """Remember a settlement and take the invoice out of where it stands; returns whether it stood."""
    case = case_with(turn, invoice_id)
    case_id = None if case is None else case.case_id
    remember_settlement(turn, Settlement(invoice_id, at, case_id, for_good))
    if for_good:
        at = _END_OF_TIME
    dispute = dispute_of(turn.state, invoice_id)
    if dispute is not None and dispute.parked is not None:
        failures = tuple(failure for failure in dispute.parked.failures if failure > at)
        parked = replace(dispute.parked, failures=failures) if failures else None
        put_dispute(turn, replace(dispute, parked=parked))
        turn.say(Outcome.RECORDED, reason, invoice_id=invoice_id)
        return True
    if case is None:
        return False
    settle(turn, case, invoice_id, at, reason)
    return True


def _disputed(turn: Turn, event: InvoiceClosed) -> None:
    """The invoice leaves its case and waits for the decision."""
    known = dispute_of(turn.state, event.invoice_id)
    if known is not None and known.at >= event.occurred_at:
        turn.say(Outcome.IGNORED, ReasonCode.STALE, invoice_id=event.invoice_id)
        return
    case = case_with(turn, event.invoice_id)
    parked = None if known is None else known.parked
    if case is not None:
        parked = _invoice_of(case, event.invoice_id)
    put_dispute(turn, Dispute(invoice_id=event.invoice_id, at=event.occurred_at, is_open=True, parked=parked))
    if case is None:
        turn.say(Outcome.RECORDED, ReasonCode.DISPUTED, invoice_id=event.invoice_id)
    else:
        # All its failures leave, later ones too: nothing about it is asked for while it is disputed.
        settle(turn, case, event.invoice_id, _END_OF_TIME, ReasonCode.DISPUTED)


def _dispute_won(turn: Turn, event: InvoiceClosed) -> None:
    """The invoice is owed again, and its time is counted from the decision."""
    known = dispute_of(turn.state, event.invoice_id)
    # Opened and won in one moment, it is won.
    if known is not None and (known.at, not known.is_open) >= (event.occurred_at, True):
        turn.say(Outcome.IGNORED, ReasonCode.STALE, invoice_id=event.invoice_id)
        return
    parked = None if known is None else known.parked
    put_dispute(turn, Dispute(invoice_id=event.invoice_id, at=event.occurred_at, is_open=False))
    case = case_with(turn, event.invoice_id)
    if parked is None and case is not None:
        # The decision has overtaken the dispute: the invoice never left.
        parked = _invoice_of(case, event.invoice_id)
        _restart(turn, case, parked, event.occurred_at)
        return
    if parked is None:
        turn.say(Outcome.RECORDED, ReasonCode.DISPUTE_WON, invoice_id=event.invoice_id)
        return
    if is_cancelled(turn.state, parked.subscription_id):
        turn.say(Outcome.IGNORED, ReasonCode.SUBSCRIPTION_CANCELLED, invoice_id=event.invoice_id)
        return
    owed = replace(parked, restarted_at=event.occurred_at)
    take_in(turn, owed, event.event_id, ReasonCode.DISPUTE_WON)


def _restart(turn: Turn, case: Case, invoice: Invoice, at: datetime) -> None:
    anew = replace(invoice, restarted_at=at)
    invoices = tuple(anew if each.invoice_id == invoice.invoice_id else each for each in case.invoices)
    turn.say(Outcome.UPDATED, ReasonCode.DISPUTE_WON, case_id=case.case_id, invoice_id=invoice.invoice_id)
    refresh(turn, case, replace(case, invoices=invoices), ReasonCode.DISPUTE_WON)


def subscription_cancelled(turn: Turn, event: SubscriptionCancelled) -> None:
    """Nothing more is sent for it, and no payment brings it back."""
    state, subscription_id = turn.state, event.subscription_id
    if is_cancelled(state, subscription_id):
        turn.say(Outcome.IGNORED, ReasonCode.SUBSCRIPTION_CANCELLED)
        return
    remember_cancelled(turn, subscription_id)
    suspended = tuple(each for each in state.suspended if each.subscription_id != subscription_id)
    turn.state = replace(turn.state, suspended=suspended)
    for case in state.cases:
        if case.subscription_id == subscription_id:
            close(turn, case, ReasonCode.SUBSCRIPTION_CANCELLED, reactivation=None)
    subscription_ended(turn, subscription_id)
    renewal_cancelled(turn, subscription_id)
    turn.say(Outcome.RECORDED, ReasonCode.SUBSCRIPTION_CANCELLED)


def _is_parked(turn: Turn, invoice_id: str) -> bool:
    dispute = dispute_of(turn.state, invoice_id)
    return dispute is not None and dispute.parked is not None
