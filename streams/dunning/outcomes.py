"""What a decision adds to the counts of outcomes: sent, opened, answered, paid, and what became of cases.

A pure function of the state before, the input and the decision; it looks at nothing else, so whoever replays
the inputs counts the same.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from streams.dunning.attribution import Credit, credit, newly_shown, payment
from streams.dunning.commands import AccountCommand, Outcome, ReasonCode
from streams.dunning.consent import as_meant
from streams.dunning.decide import Decision
from streams.dunning.events import (
    Feedback,
    Input,
    InvoiceClosed,
    PaymentFailed,
    PaymentRecovered,
    SubscriptionCancelled,
)
from streams.dunning.measures import LAST_DAY, About, Group, Measure, Tally, detailed
from streams.dunning.policy import Policy, Priority
from streams.dunning.state import Case, Contact, CustomerState, Invoice, PlanKind

__all__ = ["CANCELLED", "OTHER", "PAID", "outcomes"]

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)

_ABOUT = {PlanKind.RENEWAL: About.RENEWAL, PlanKind.CARD: About.CARD}
PAID = "paid"
CANCELLED = "cancelled"
OTHER = "other"
"""Why invoices leave their case, besides what `invoice-closed` gives as its reason."""

_HEARD = {
    PaymentRecovered: ReasonCode.RENEWAL_PAID,
    PaymentFailed: ReasonCode.PAYMENT_FAILED,
    SubscriptionCancelled: ReasonCode.SUBSCRIPTION_CANCELLED,
}
"""What is heard of a renewal by which event; by any other, that nothing was heard in time."""

_EVER = datetime.min.replace(tzinfo=UTC)
_NOBODY = CustomerState(customer_id="", clock=_EVER)
"""What was kept of somebody of whom nothing was kept."""

_TIMES = {
    Measure.PAID_LAST: (Measure.MINUTES_LAST, Measure.DAY_LAST),
    Measure.PAID_ANY: (Measure.MINUTES_ANY, Measure.DAY_ANY),
}
_ACTIONS = {
    "suspend": Measure.SUSPENDED,
    "reactivate": Measure.REACTIVATED,
    "review": Measure.REVIEWED,
}


def outcomes(
    before: CustomerState | None, event: Input, decision: Decision, policy: Policy
) -> tuple[Tally, ...]:
    """What is to be counted of one decision.

    Args:
        before: what was kept of the customer; None if nothing was.
        event: what was decided upon.
        decision: what came of it.
        policy: the one that decided.

    Returns:
        Nothing for an event that was decided before.
    """
    after = decision.state
    if after is before:
        return ()
    if before is None:
        before = _NOBODY
    found: list[Tally] = []
    if decision.commands:
        found += _commands(before, decision)
    if isinstance(event, Feedback):
        found += _feedback(before, event, policy)
    elif isinstance(event, PaymentRecovered):
        found += _payment(before, decision, event, policy)
    if _owe_otherwise(before, after):
        found += _cases(before, after, event)
    if before.plans is not after.plans or before.due_renewals is not after.due_renewals:
        found += _plans(before, decision, event, policy)
    return tuple(found)


def _of_contact(contact: Contact) -> Group:
    about = About.DEBT
    if contact.plan_id is not None:
        about = About.CARD if contact.priority is Priority.EXPIRY else About.RENEWAL
    elif not contact.case_ids:
        about = About.OFFER
    return Group(
        about,
        contact.campaign,
        contact.step_id,
        contact.channel,
        contact.template,
        contact.segment,
        contact.locale,
        contact.arms,
    )


def _of_case(case: Case) -> Group:
    return Group(About.DEBT, case.campaign, segment=case.segment, locale=case.locale, arms=case.arms)


def _of_plan(kind: PlanKind, arms: tuple[str, ...], state: CustomerState, policy: Policy) -> Group:
    """A plan's customer is of one segment now and may be of another later: it is the present one."""
    return Group(_ABOUT[kind], segment=state.segment, locale=state.locale(policy), arms=arms)


def _commands(before: CustomerState, decision: Decision) -> Iterator[Tally]:
    after = decision.state
    for command in decision.commands:
        case = None if command.case_id is None else _case(before, after, command.case_id)
        if isinstance(command, AccountCommand):
            if case is not None:
                yield Tally(_of_case(case), _ACTIONS[command.action])
            continue
        plan = None if command.plan_id is None else after.plan(command.plan_id)
        subject = plan if case is None else case
        group = Group(
            About.DEBT if case is not None else About.OFFER if plan is None else _ABOUT[plan.kind],
            None if case is None else case.campaign,
            command.step_id,
            command.channel,
            command.template,
            command.segment,
            command.locale,
            () if subject is None else subject.arms,
        )
        yield Tally(group, Measure.SENT)
        if case is not None and command.send_after > case.anchor:
            yield Tally(group, Measure.SENT_HOURS, (command.send_after - case.anchor) // _HOUR)


def _case(before: CustomerState, after: CustomerState, case_id: str) -> Case | None:
    """The case, in which state it may be: one that has just closed is in the one before only."""
    return after.case(case_id) or before.case(case_id)


def _feedback(before: CustomerState, event: Feedback, policy: Policy) -> Iterator[Tally]:
    contact = next((each for each in before.contacts if each.command_id == event.command_id), None)
    if contact is None:
        yield Tally(Group(About.UNKNOWN, channel=event.channel), Measure.UNMATCHED)
        return
    group = _of_contact(contact)
    for measure in newly_shown(contact, as_meant(event, policy).kind):
        yield Tally(group, measure)


def _payment(
    before: CustomerState, decision: Decision, event: PaymentRecovered, policy: Policy
) -> Iterator[Tally]:
    paid = payment(before, decision.state, event)
    if paid is None:
        if not before.plans and not before.due_renewals:
            return
        if (plan_id := _renewed(before, decision, event, policy)) is not None:
            contacts = (contact for contact in before.contacts if contact.plan_id == plan_id)
            yield from _credit(credit(contacts, _EVER, event.occurred_at), event)
        return
    group = _of_case(paid.case)
    yield Tally(group, detailed(Measure.PAID_AMOUNT, event.currency), event.amount_minor)
    yield Tally(group, detailed(Measure.PAID_DAY, _days(event.occurred_at - paid.invoice.owed_since)))
    if not paid.credit.any:
        yield Tally(group, Measure.PAID_UNCONTACTED)
        return
    yield from _credit(paid.credit, event)


def _credit(given: Credit, event: PaymentRecovered) -> Iterator[Tally]:
    for contact in given.any:
        amount = detailed(Measure.AMOUNT_ANY, event.currency)
        yield Tally(_of_contact(contact), amount, event.amount_minor)
    if given.last is not None:
        amount = detailed(Measure.AMOUNT_LAST, event.currency)
        yield Tally(_of_contact(given.last), amount, event.amount_minor)
    for contact, measure in given.first_times():
        group, took = _of_contact(contact), event.occurred_at - contact.sent_at
        minutes, day = _TIMES[measure]
        yield Tally(group, measure)
        yield Tally(group, minutes, took // _MINUTE)
        yield Tally(group, detailed(day, _days(took)))


def _days(took: timedelta) -> int:
    return min(max(0, took // _DAY), LAST_DAY)


def _owe_otherwise(before: CustomerState, after: CustomerState) -> bool:
    """Whether cases or their invoices have changed: at most decisions they have not."""
    known = before.cases
    return known is not after.cases and (
        len(known) != len(after.cases)
        or any(
            case.invoices is not earlier.invoices for case, earlier in zip(after.cases, known, strict=True)
        )
    )


def _cases(before: CustomerState, after: CustomerState, event: Input) -> Iterator[Tally]:
    """What entered and what left: invoices, and cases with them."""
    known = {case.case_id: case for case in before.cases}
    owed, owed_now = _invoices(before), _invoices(after)
    for case in after.cases:
        if case.case_id not in known:
            yield Tally(_of_case(case), Measure.CASES)
    for invoice_id, (case, invoice) in owed_now.items():
        if invoice_id not in owed:
            group = _of_case(case)
            yield Tally(group, Measure.FAILED)
            yield Tally(group, detailed(Measure.FAILED_AMOUNT, invoice.currency), invoice.amount_minor)
    for invoice_id, (case, _) in owed.items():
        if invoice_id not in owed_now:
            yield Tally(_of_case(case), detailed(Measure.SETTLED, _ending(event)))
    for case_id, case in known.items():
        if after.case(case_id) is None:
            yield Tally(_of_case(case), detailed(Measure.CLOSED, _ending(event)))


def _invoices(state: CustomerState) -> dict[str, tuple[Case, Invoice]]:
    return {invoice.invoice_id: (case, invoice) for case in state.cases for invoice in case.invoices}


def _ending(event: Input) -> str:
    """Why an invoice leaves its case, in one word."""
    match event:
        case PaymentRecovered():
            return PAID
        case InvoiceClosed():
            return event.reason
        case SubscriptionCancelled():
            return CANCELLED
        case _:
            return OTHER


def _plans(before: CustomerState, decision: Decision, event: Input, policy: Policy) -> Iterator[Tally]:
    after = decision.state
    known = {plan.plan_id: plan for plan in before.plans}
    due_now = {due.plan_id for due in after.due_renewals}
    for plan in after.plans:
        if plan.plan_id not in known:
            yield Tally(_of_plan(plan.kind, plan.arms, after, policy), Measure.PLANS)
    for reason in decision.reasons:
        if reason.outcome is Outcome.CLOSED and reason.plan_id in known and reason.plan_id not in due_now:
            plan = known[reason.plan_id]
            group = _of_plan(plan.kind, plan.arms, after, policy)
            yield from _ended(group, reason.reason, reminded=plan.sent > 0)
    for due in before.due_renewals:
        if due.plan_id not in due_now:
            over = due.is_over(decision.clock, policy.renewals.heard_of_within)
            heard = ReasonCode.PLAN_ENDED if over else _HEARD.get(type(event), ReasonCode.PLAN_ENDED)
            group = _of_plan(PlanKind.RENEWAL, due.arms, after, policy)
            yield from _ended(group, heard, reminded=due.reminded)


def _ended(group: Group, reason: ReasonCode, *, reminded: bool) -> Iterator[Tally]:
    yield Tally(group, detailed(Measure.ENDED, reason))
    if reminded:
        yield Tally(group, detailed(Measure.ENDED_REMINDED, reason))


def _renewed(
    before: CustomerState, decision: Decision, event: PaymentRecovered, policy: Policy
) -> str | None:
    """The plan of the renewal that a payment was for, before its day or soon after."""
    after, within = decision.state, policy.renewals.heard_of_within
    left = {plan.plan_id for plan in after.plans} | {due.plan_id for due in after.due_renewals}
    for plan in before.plans:
        if plan.subject_id == event.subscription_id and plan.plan_id not in left:
            return plan.plan_id
    for due in before.due_renewals:
        if due.plan_id not in left and not due.is_over(decision.clock, within):
            return due.plan_id
    return None
