"""Retries: what the card networks allow of billing's further attempts, and what may be promised of them.

Nothing here tries a payment. The rules (`RetryRule`) decide two things: whether a message may say that the
payment will be tried again, and whether billing is told that it goes beyond what its network allows.
"""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import PaymentFailed
from streams.dunning.policy import DeclineClass, Policy
from streams.dunning.state import Case, Invoice, Retries
from streams.dunning.turn import Turn

# Merchant advice codes are Mastercard's own; no other network has them.
_NETWORK_OF_ADVICE = "mastercard"

# A message that says "we will try again" without a date is taken to mean the next day.
_SOON = timedelta(days=1)


def attempt_of(event: PaymentFailed, policy: Policy) -> Retries | None:
    """What a declined attempt says to the rules of its network; None if the policy has none for it."""
    network = _network(event)
    rules = None if network is None else policy.retry_rules.get(network)
    if network is None or rules is None:
        return None
    code = (event.decline_code or "").strip().lower()
    advice = (event.advice_code or "").strip()
    on = event.occurred_at.astimezone(UTC).date()
    forbidden, waits = False, []
    for rule, codes, advice_codes in rules.about_declines:
        if (code in codes or advice in advice_codes) and rule.in_force(on):
            if rule.wait is None:
                forbidden = True
            else:
                waits.append(event.occurred_at + rule.wait)
    return Retries(
        network=network,
        attempted_at=(event.occurred_at,),
        forbidden_since=event.occurred_at if forbidden else None,
        not_before=max(waits, default=None),
        payment_method_id=None if event.card is None else event.card.payment_method_id,
    )


def merge_attempts(known: Invoice, failure: Invoice, remembered: int) -> Retries | None:
    """The attempts on the card that was tried last, whichever of two failures arrived first."""
    if failure.failures[-1] >= known.failures[-1]:
        before, after = known.retries, failure.retries or known.retries
    else:
        # What is late says nothing where a new card has been put on file since.
        before, after = failure.retries, known.retries
    if before is None or after is None or not _same_card(before, after):
        return after
    attempts = tuple(sorted({*before.attempted_at, *after.attempted_at}))
    return replace(
        after,
        attempted_at=attempts[-remembered:],
        forbidden_since=_first(before.forbidden_since, after.forbidden_since),
        not_before=_last(before.not_before, after.not_before),
        payment_method_id=after.payment_method_id or before.payment_method_id,
    )


def warn_of_retries(turn: Turn, case: Case, event: PaymentFailed, before: Retries | None) -> None:
    """Say where billing tried, or means to try, what the network forbids. An attempt by the customer is not.

    Args:
        turn: The decision in the making.
        case: The case, with the failure in it.
        event: The failure.
        before: What was known of the invoice's attempts before it.
    """
    invoice = next(each for each in case.invoices if each.invoice_id == event.invoice_id)
    after = invoice.retries
    if event.customer_initiated or after is None or event.occurred_at not in after.attempted_at:
        return
    planned = event.next_retry_at if invoice.failures[-1] == event.occurred_at else None
    if planned is not None and planned <= event.occurred_at:
        planned = None  # a date that billing has not renewed
    if _was_forbidden(before, after, event) or (planned is not None and after.forbidden_since is not None):
        _warn(turn, case, event, ReasonCode.RETRY_FORBIDDEN, None)
    elif (until := _too_soon(before, after, event, planned)) is not None:
        _warn(turn, case, event, ReasonCode.RETRY_FORBIDDEN, until)
    moments = [event.occurred_at] if planned is None else [event.occurred_at, planned]
    for moment in moments:
        until = _room_from(invoice, after, moment, turn.policy, planned=moment is planned)
        if until is not None:
            _warn(turn, case, event, ReasonCode.RETRY_BUDGET_EXCEEDED, until)
            return


def as_may_be_promised(invoice: Invoice, clock: datetime, policy: Policy) -> Invoice:
    """The invoice as a message may speak of it: without a retry, or the date of one, that is not allowed.

    Where no retry is allowed, a soft decline reads as a hard one: another card is needed.
    """
    retries = invoice.retries
    if retries is None or invoice.decline_class is not DeclineClass.SOFT:
        return invoice
    planned = invoice.next_retry_at
    if planned is not None and planned <= clock:
        planned = None
    room = _room_from(invoice, retries, planned or clock + _SOON, policy, planned=True)
    if retries.forbidden_since is not None or room is not None:
        return replace(invoice, decline_class=DeclineClass.HARD, next_retry_at=None)
    if planned is not None and retries.not_before is not None and planned < retries.not_before:
        return replace(invoice, next_retry_at=None)
    return invoice


def _network(event: PaymentFailed) -> str | None:
    if event.network is not None:
        return event.network.strip().lower()
    if event.card is not None:
        return event.card.brand.strip().lower()
    return _NETWORK_OF_ADVICE if event.advice_code is not None else None


def _same_card(one: Retries, other: Retries) -> bool:
    cards = {one.payment_method_id, other.payment_method_id} - {None}
    return one.network == other.network and len(cards) <= 1


def _first(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _last(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _was_forbidden(before: Retries | None, after: Retries, event: PaymentFailed) -> bool:
    """Whether this attempt followed one after which the network allowed none."""
    if before is None or not _same_card(before, after) or before.forbidden_since is None:
        return False
    return before.forbidden_since < event.occurred_at


def _too_soon(
    before: Retries | None, after: Retries, event: PaymentFailed, planned: datetime | None
) -> datetime | None:
    """The end of the wait that this attempt, or the planned one, does not keep."""
    if (
        before is not None
        and _same_card(before, after)
        and before.not_before is not None
        and before.attempted_at[-1] < event.occurred_at < before.not_before
    ):
        return _last(before.not_before, after.not_before)
    if planned is not None and after.not_before is not None and planned < after.not_before:
        return after.not_before
    return None


def _room_from(
    invoice: Invoice, retries: Retries, moment: datetime, policy: Policy, *, planned: bool
) -> datetime | None:
    """When one more attempt fits the budgets again; None if the one at the moment fits.

    A planned attempt comes on top of those that were made.
    """
    rules = policy.retry_rules.get(retries.network)
    if rules is None:
        return None
    opening: datetime | None = None
    on = moment.astimezone(UTC).date()
    all_made = max(len(retries.attempted_at), invoice.attempts) + planned
    for rule in rules.budgets:
        if rule.most is None or rule.within is None or all_made <= rule.most or not rule.in_force(on):
            continue
        since = moment - rule.within
        first = retries.attempted_at[0]
        made = [each for each in retries.attempted_at if since < each <= moment]
        uncounted = 1 if rule.counts == "reattempts" and first in made else 0
        total = len(made)
        if first == invoice.failures[0] and first in made:
            # Billing numbers its attempts: those that we were not told of lie between the first and this one.
            total = max(total, invoice.attempts)
        if total - uncounted + planned <= rule.most:
            continue
        # One more fits when so many have left the window that all the others and it are within `most`.
        leaving = made[min(total - rule.most, len(made) - 1)]
        opening = _last(opening, leaving + rule.within)
    return opening


def _warn(turn: Turn, case: Case, event: PaymentFailed, reason: ReasonCode, until: datetime | None) -> None:
    turn.say(Outcome.WARNED, reason, case_id=case.case_id, invoice_id=event.invoice_id, until=until)
