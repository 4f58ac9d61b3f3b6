"""Notification commands: what they say of, and the memory that they went out."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from streams.dunning.audience import Tone
from streams.dunning.calendar import closing, local_day, window_closing, window_opening
from streams.dunning.calls import call_variables
from streams.dunning.commands import InvoiceLine, NotificationCommand
from streams.dunning.events import Channel
from streams.dunning.experiment_settings import by_experiment
from streams.dunning.identity import named
from streams.dunning.ladder import nominal_due, suspend_step, suspension_due
from streams.dunning.policy import DeclineClass, Priority
from streams.dunning.retries import as_may_be_promised
from streams.dunning.risk import risk_of
from streams.dunning.segments import tone_of
from streams.dunning.state import Case, Contact, Invoice
from streams.dunning.suspension import invoice_lines
from streams.dunning.turn import Turn
from streams.dunning.variables import MessageKind


class Notice(Struct, frozen=True, kw_only=True):
    """A message that is going out now: what it is for, by which channel, and what it speaks of.

    `tone` is what an experiment sets in place of the segment's; the arms are those of the case or plan.
    """

    subject: str
    step_id: str
    occurrence: str
    channel: Channel
    template: str
    priority: Priority
    variables: dict[str, str]
    policy_version: str
    case_ids: tuple[str, ...] = ()
    plan_id: str | None = None
    invoices: tuple[InvoiceLine, ...] = ()
    currency: str | None = None
    ends_at: datetime | None = None
    retry: bool = False
    segment: str | None = None
    campaign: str | None = None
    tone: Tone | None = None
    arms: tuple[str, ...] = ()
    repeated_arms: tuple[str, ...] = ()
    offer: str | None = None

    @property
    def purpose(self) -> Literal["transactional", "marketing"]:
        """An offer makes a message marketing."""
        return "transactional" if self.offer is None else "marketing"


def send(turn: Turn, notice: Notice) -> NotificationCommand:
    """Emit the command for a notice and remember the contact.

    By a channel with hours it waits for them, and is void when they end: a sender that keeps to `send_after`
    and `expires_at` never rings at night, whatever it knows of hours. An offer keeps to the marketing window.
    """
    state, policy = turn.state, turn.policy
    channel, profile = notice.channel, state.profile
    send_after = window_opening(channel, turn.clock, turn.zone, profile, policy)
    expires_at = min(
        end
        for end in (
            send_after + policy.command_validity,
            window_closing(channel, send_after, turn.zone, profile, policy),
            notice.ends_at,
            None
            if notice.offer is None
            else closing(policy.marketing.window, send_after, turn.zone, profile),
        )
        if end is not None
    )
    command = NotificationCommand(
        command_id=named(
            state.customer_id,
            "notification",
            notice.subject,
            notice.step_id,
            notice.channel,
            notice.occurrence,
        ),
        customer_id=state.customer_id,
        channel=notice.channel,
        template=notice.template,
        locale=state.locale(policy),
        purpose=notice.purpose,
        variables=notice.variables | call_variables(turn) if channel is Channel.PHONE else notice.variables,
        invoices=notice.invoices,
        total_minor=sum(line.amount_minor for line in notice.invoices) if notice.invoices else None,
        currency=notice.currency,
        experiment_arms=by_experiment(notice.arms + notice.repeated_arms),
        offer=notice.offer,
        segment=notice.segment,
        tone=notice.tone or tone_of(notice.segment, policy),
        risk=turn.risk or risk_of(state, turn.clock, policy),
        case_id=notice.case_ids[0] if notice.case_ids else None,
        plan_id=notice.plan_id,
        step_id=notice.step_id,
        policy_version=notice.policy_version,
        decided_at=turn.clock,
        send_after=send_after,
        expires_at=expires_at,
    )
    turn.commands.append(command)
    turn.add_contact(
        Contact(
            command_id=command.command_id,
            channel=notice.channel,
            sent_at=send_after,
            step_id=notice.step_id,
            occurrence=notice.occurrence,
            priority=notice.priority,
            case_ids=notice.case_ids,
            plan_id=notice.plan_id,
            currency=notice.currency,
            retry=notice.retry,
            campaign=notice.campaign,
            template=command.template,
            segment=command.segment,
            locale=command.locale,
            arms=notice.arms,
        )
    )
    return command


class Debt(Struct, frozen=True, kw_only=True):
    """All that a customer owes in one currency: what a message about any of it lists."""

    currency: str
    cases: tuple[Case, ...]
    invoices: tuple[Invoice, ...]

    @property
    def decline_class(self) -> DeclineClass:
        """How the message is worded: a retry is promised only if nothing in it needs the customer's doing.

        A fraud decline reads as a hard one, so that its reason never shows.
        """
        for each in (DeclineClass.HARD, DeclineClass.AUTHENTICATION):
            if self.of_class(each):
                return each
        return DeclineClass.SOFT

    def of_class(self, decline_class: DeclineClass) -> tuple[Invoice, ...]:
        """The invoices that are worded so."""
        worded = {DeclineClass.FRAUD: DeclineClass.HARD}
        return tuple(
            each
            for each in self.invoices
            if worded.get(each.decline_class, each.decline_class) is decline_class
        )

    def subject(self, kind: MessageKind) -> Invoice:
        """The invoice whose card and link a message shows: of those that word it, the last to fail."""
        invoices = self.invoices
        if kind is MessageKind.AUTHENTICATION:
            invoices = self.of_class(DeclineClass.AUTHENTICATION) or invoices
        elif kind is not MessageKind.NEW_CARD_FAILED:
            invoices = self.of_class(self.decline_class)
        return max(invoices, key=lambda invoice: (invoice.failures[-1], invoice.invoice_id))


def debt_of(turn: Turn, case: Case) -> Debt:
    """What the customer owes in the case's currency; the case itself comes first."""
    others = tuple(
        each for each in turn.state.cases if each.currency == case.currency and each.case_id != case.case_id
    )
    cases = (case, *others)
    return Debt(
        currency=case.currency,
        cases=cases,
        invoices=tuple(
            as_may_be_promised(invoice, turn.clock, turn.policy)
            for each in cases
            for invoice in each.invoices
        ),
    )


def debt_lines(debt: Debt) -> tuple[InvoiceLine, ...]:
    """The debt's invoices as a command lists them."""
    return invoice_lines(debt.invoices)


def debt_variables(turn: Turn, case: Case, debt: Debt, kind: MessageKind) -> dict[str, str]:
    """What a message about a debt may speak of (see `streams.dunning.variables`)."""
    subject = debt.subject(kind)
    variables: dict[str, str] = {}
    if kind in {MessageKind.FAILURE, MessageKind.FINAL_NOTICE}:
        since = local_day(case.anchor, turn.zone)
        variables["days_overdue"] = str(max(0, (local_day(turn.clock, turn.zone) - since).days))
    if kind is MessageKind.FAILURE:
        variables["decline_class"] = debt.decline_class
        retries = [
            invoice.next_retry_at
            for invoice in debt.invoices
            if invoice.next_retry_at is not None and invoice.next_retry_at > turn.clock
        ]
        if retries and debt.decline_class is DeclineClass.SOFT:
            variables["next_retry_on"] = local_day(min(retries), turn.zone).isoformat()
        if subject.told_reason is not None:
            variables["reason"] = subject.told_reason
    if kind is MessageKind.FINAL_NOTICE:
        variables["suspension_date"] = local_day(suspension_named(turn, case, debt), turn.zone).isoformat()
    if subject.pay_url is not None:
        variables["pay_url"] = subject.pay_url
    if subject.card is not None:
        variables["card_brand"] = subject.card.brand
        variables["card_last4"] = subject.card.last4
    return variables


def suspension_named(turn: Turn, case: Case, debt: Debt) -> datetime:
    """The date that a final notice going out now names (UTC): the earliest that stands for anything in it.

    So a notice about a second case never names a later day than the one before it did.
    """
    policy = turn.policy
    earliest = turn.clock + policy.suspension.notice
    step = suspend_step(case, policy)
    if step is not None:
        earliest = max(earliest, nominal_due(case, step, turn.zone, policy))
    standing = [
        due
        for each in debt.cases
        if each.final_notice is not None
        and (due := suspension_due(turn.state, each, turn.zone, policy)) is not None
        and due > turn.clock
    ]
    return min([earliest, *standing])
