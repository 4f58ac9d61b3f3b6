"""Cases: how they open, take in another failure, lose an invoice, move their anchor and close."""

from collections.abc import Collection
from datetime import datetime

from msgspec.structs import replace

from streams.dunning.apology import apologise
from streams.dunning.bounds import has_room
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.experiments import case_joins
from streams.dunning.identity import named
from streams.dunning.ladder import (
    campaign_of,
    final_notice_step,
    first_step,
    nominal_due,
    notifying_steps,
    suspend_step,
)
from streams.dunning.memory import Memory
from streams.dunning.policy import DeclineClass
from streams.dunning.retries import merge_attempts
from streams.dunning.segments import campaign_for, opening_segment
from streams.dunning.state import Case, Invoice, PendingKind
from streams.dunning.suspension import release, suspension_held_by
from streams.dunning.turn import Turn


def case_with(turn: Turn, invoice_id: str) -> Case | None:
    """The live case that the invoice is in."""
    return next(
        (
            case
            for case in turn.state.cases
            if any(invoice.invoice_id == invoice_id for invoice in case.invoices)
        ),
        None,
    )


def merge_failure(known: Invoice, failure: Invoice, memory: Memory) -> Invoice:
    """The invoice with one more failure: of two, the later says how things stand, whichever came first."""
    failures = tuple(sorted({*known.failures, *failure.failures}))
    attempts = max(known.attempts + (len(failures) > len(known.failures)), failure.attempts)
    if len(failures) > memory.attempts:
        # The first is the anchor's; of the others the latest decide.
        failures = (failures[0], *failures[len(failures) - memory.attempts + 1 :])
    latest = failure if failure.failures[-1] >= known.failures[-1] else known
    restarts = (known.restarted_at, failure.restarted_at)
    return replace(
        latest,
        subscription_id=known.subscription_id,
        currency=known.currency,
        failures=failures,
        attempts=attempts,
        card=latest.card or known.card,
        pay_url=latest.pay_url or known.pay_url,
        restarted_at=max((each for each in restarts if each is not None), default=None),
        retries=merge_attempts(known, failure, memory.retries),
        unconfirmed=known.unconfirmed and failure.unconfirmed,
    )


def take_in(
    turn: Turn, failure: Invoice, event_id: str, reason: ReasonCode, linked_case_id: str | None = None
) -> Case | None:
    """Put an unpaid invoice into its live case, or open one; None where a limit forbids it."""
    case = case_with(turn, failure.invoice_id)
    if case is not None:
        return _another_attempt(turn, case, failure, reason)
    case = next(
        (
            each
            for each in turn.state.cases
            if each.subscription_id == failure.subscription_id and each.currency == failure.currency
        ),
        None,
    )
    if not has_room(turn, case):
        turn.say(Outcome.IGNORED, ReasonCode.LIMIT_REACHED, invoice_id=failure.invoice_id)
        return None
    if case is None:
        return _open(turn, failure, event_id, reason, linked_case_id)
    joined = replace(case, invoices=(*case.invoices, failure))
    turn.say(Outcome.UPDATED, reason, case_id=case.case_id, invoice_id=failure.invoice_id)
    return refresh(turn, case, joined, ReasonCode.EARLIER_FAILURE)


def _open(
    turn: Turn, failure: Invoice, event_id: str, reason: ReasonCode, linked_case_id: str | None
) -> Case:
    policy = turn.policy
    late = turn.clock - failure.owed_since > policy.late_arrival_grace
    segment = opening_segment(turn)
    case = Case(
        case_id=named(
            turn.state.customer_id,
            "case",
            failure.subscription_id or "",
            failure.currency,
            failure.invoice_id,
            event_id,
        ),
        subscription_id=failure.subscription_id,
        currency=failure.currency,
        campaign=campaign_for(segment, policy),
        policy_version=policy.version,
        opened_at=turn.clock,
        invoices=(failure,),
        linked_case_id=linked_case_id,
        ladder_from=turn.clock if late else None,
        segment=None if segment is None else segment.name,
        locale=turn.state.locale(policy),
    )
    turn.say(
        Outcome.OPENED,
        reason,
        case_id=case.case_id,
        invoice_id=failure.invoice_id,
        linked_case_id=linked_case_id,
    )
    case = case_joins(turn, case)
    if case.total_minor < policy.minimum_amount.get(case.currency, 0):
        turn.say(Outcome.HELD, ReasonCode.BELOW_MINIMUM, case_id=case.case_id)
        return turn.put_case(replace(case, dormant=True))
    # Steps whose day went by before the failure was known are not made up for.
    first = first_step(case, policy)
    past = past_steps(turn, case, turn.clock)
    for step_id in past:
        if step_id != first.id:
            turn.say(Outcome.SUPERSEDED, ReasonCode.LATER_STEP_DUE, case_id=case.case_id, step_id=step_id)
    return turn.put_case(replace(case, done=tuple(each for each in past if each != first.id)))


def _another_attempt(turn: Turn, case: Case, failure: Invoice, reason: ReasonCode) -> Case:
    merged = tuple(
        merge_failure(invoice, failure, turn.policy.memory)
        if invoice.invoice_id == failure.invoice_id
        else invoice
        for invoice in case.invoices
    )
    shown = ReasonCode.ANOTHER_ATTEMPT if reason is ReasonCode.PAYMENT_FAILED else reason
    turn.say(Outcome.UPDATED, shown, case_id=case.case_id, invoice_id=failure.invoice_id)
    return refresh(turn, case, replace(case, invoices=merged), ReasonCode.EARLIER_FAILURE)


def past_steps(turn: Turn, case: Case, until: datetime) -> tuple[str, ...]:
    """The reminders that were due until then under the case's anchor, the first step among them.

    The final notice is none of them: it is never skipped, for the suspension waits for it.
    """
    return tuple(
        step.id
        for step in notifying_steps(case, turn.policy)
        if step.action == "notify" and nominal_due(case, step, turn.zone, turn.policy) <= until
    )


def refresh(
    turn: Turn, before: Case, case: Case, moved: ReasonCode, *, reactivation: ReasonCode | None = None
) -> Case:
    """Keep the case after its invoices changed: dormancy and anchor follow from what is owed.

    `reactivation` is the reason if a suspension is taken back, where it is not the change itself.
    """
    policy = turn.policy
    dormant = case.total_minor < policy.minimum_amount.get(case.currency, 0)
    if dormant:
        if not before.dormant:
            turn.say(Outcome.HELD, ReasonCode.BELOW_MINIMUM, case_id=case.case_id)
            _cancel_pending(turn, case, ReasonCode.BELOW_MINIMUM)
            release(turn, case, reactivation or ReasonCode.BELOW_MINIMUM)
        return turn.put_case(replace(case, dormant=True, deferral=None))
    if before.dormant:
        turn.say(Outcome.REANCHORED, ReasonCode.MINIMUM_REACHED, case_id=case.case_id)
        started = replace(case, dormant=False, ladder_from=turn.clock)
        return turn.put_case(_restarted(started, done=()))
    if case.anchor > before.anchor:
        return _move_anchor(turn, case, moved, reactivation or ReasonCode.ANCHOR_MOVED)
    if case.anchor < before.anchor:
        if turn.clock - case.anchor > policy.late_arrival_grace:
            # What was learnt of too late does not hurry what goes on already.
            return turn.put_case(replace(case, ladder_from=before.anchor))
        turn.say(Outcome.REANCHORED, ReasonCode.EARLIER_FAILURE, case_id=case.case_id)
    return turn.put_case(case)


def _restarted(case: Case, done: tuple[str, ...]) -> Case:
    return replace(
        case,
        epoch=case.epoch + 1,
        done=done,
        deferral=None,
        final_notice=None,
        gate_at=None,
        blocked_since=None,
        brought_forward=None,
    )


def _move_anchor(turn: Turn, case: Case, moved: ReasonCode, reactivation: ReasonCode) -> Case:
    """The earliest invoice left: count from the next one, and make up for nothing."""
    policy = turn.policy
    turn.say(Outcome.REANCHORED, moved, case_id=case.case_id)
    # Who has been asked about this debt is not asked at once again; who has not is asked still.
    first = first_step(case, policy).id
    asked = first in case.done
    past = tuple(step_id for step_id in past_steps(turn, case, turn.clock) if step_id != first)
    done = (first, *past) if asked else past
    warning = final_notice_step(case, policy)
    notice = case.final_notice
    if warning is not None and notice is not None:
        if nominal_due(case, warning, turn.zone, policy) <= turn.clock:
            done = (*done, warning.id)
        else:
            notice = None
    anew = replace(_restarted(case, done), final_notice=notice, deferral=None if asked else case.deferral)
    ending = suspend_step(case, policy)
    if ending is not None and suspension_held_by(turn, case) is not None:
        if nominal_due(anew, ending, turn.zone, policy) > turn.clock:
            release(turn, case, reactivation)
        else:
            anew = replace(anew, done=(*anew.done, ending.id))
    return turn.put_case(anew)


def settle(turn: Turn, case: Case, invoice_id: str, at: datetime, reason: ReasonCode) -> None:
    """Take what was paid or closed at `at` out of a live case. Failures after it stand."""
    standing = suspension_held_by(turn, case)
    kept: list[Invoice] = []
    for invoice in case.invoices:
        if invoice.invoice_id != invoice_id:
            kept.append(invoice)
            continue
        failures = tuple(failure for failure in invoice.failures if failure > at)
        if failures:
            kept.append(replace(invoice, failures=failures))
    left = replace(case, invoices=tuple(kept))
    wronged = reason is ReasonCode.PAID and standing is not None and at <= standing.decided_at
    why = ReasonCode.PAID_BEFORE_SUSPENSION if wronged else reason
    if not kept:
        close(turn, case, reason, reactivation=why)
    else:
        turn.say(Outcome.UPDATED, reason, case_id=case.case_id, invoice_id=invoice_id)
        refresh(turn, case, left, ReasonCode.INVOICE_LEFT, reactivation=why if wronged else None)
    if wronged and not any(each.subscription_id == case.subscription_id for each in turn.state.suspended):
        apologise(turn, case)


def close(turn: Turn, case: Case, reason: ReasonCode, *, reactivation: ReasonCode | None) -> None:
    """End a case: what was pending is cancelled, and a suspension taken back unless told otherwise."""
    for step in campaign_of(case, turn.policy).ladder:
        if step.id not in case.done and not case.dormant:
            turn.say(Outcome.CANCELLED, reason, case_id=case.case_id, step_id=step.id)
    _cancel_pending(turn, case, reason)
    turn.drop_case(case)
    turn.say(Outcome.CLOSED, reason, case_id=case.case_id)
    if reactivation is not None:
        release(turn, case, reactivation)


def _cancel_pending(
    turn: Turn, case: Case, reason: ReasonCode, kinds: Collection[PendingKind] = tuple(PendingKind)
) -> None:
    """Drop the messages that events have caused for a case, and say so."""
    for pending in turn.state.pending:
        if pending.case_id == case.case_id and pending.kind in kinds:
            turn.drop_pending(pending)
            turn.say(Outcome.CANCELLED, reason, case_id=case.case_id, step_id=pending.kind)


def hold_for_new_card(turn: Turn, case: Case, at: datetime) -> None:
    """A new card is on file: wait for the next attempt on it. The old card's decline says nothing of it."""
    if any(invoice.failures[-1] >= at for invoice in case.invoices):
        turn.say(Outcome.IGNORED, ReasonCode.STALE, case_id=case.case_id)
        return
    # What was to be said of the card before this one is out of date.
    _cancel_pending(turn, case, ReasonCode.CARD_UPDATED, [PendingKind.NEW_CARD_FAILED])
    until = at + turn.policy.hold_after_card_update
    invoices = tuple(
        replace(invoice, retries=None, decline_class=DeclineClass.SOFT)
        if invoice.decline_class in {DeclineClass.HARD, DeclineClass.FRAUD}
        else replace(invoice, retries=None)
        for invoice in case.invoices
    )
    turn.put_case(replace(case, invoices=invoices, card_updated_at=at, held_until=until))
    turn.say(Outcome.HELD, ReasonCode.CARD_UPDATED, case_id=case.case_id, until=until)
