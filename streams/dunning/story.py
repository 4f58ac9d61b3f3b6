"""What happened to a customer, told from the decision log: each thing, why, and what came of it.

The log gives the order and the reasons. The events, the commands and the reports on them, where they are
still at hand, say more: how much, in which words, whether it arrived.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from streams.dunning.commands import (
    AccountCommand,
    Command,
    DecisionRecord,
    NotificationCommand,
    Outcome,
    Reason,
    ReasonCode,
)
from streams.dunning.events import (
    CardExpiring,
    CardUpdated,
    Channel,
    CustomerEvent,
    CustomerProfile,
    Feedback,
    FeedbackKind,
    InvoiceClosed,
    PaymentFailed,
    PaymentRecovered,
    PaymentReversed,
    RenewalUpcoming,
    SubscriptionCancelled,
    SubscriptionChanged,
)
from streams.dunning.reason_words import MISSING, OUTCOMES, in_words

Told = DecisionRecord | Command | CustomerEvent
"""What a story is told from."""


class Kind(StrEnum):
    """What an entry of a story is about."""

    EVENT = "event"
    """Something was told: by billing, the CRM or a notification service."""
    CONTACT = "contact"
    """A message went out."""
    NOT_SENT = "not_sent"
    """A message did not go out, or not yet; or a suspension was not decided."""
    ACCOUNT = "account"
    """A subscription was suspended or reactivated, or a person was asked to look."""
    CASE = "case"
    """A case or the reminders of a plan began, ended or waits."""


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing in a customer's story.

    `what` and `why` are words for people; the rest says of what. `text` is a message's subject, or its first
    line, and `body` all of it. `reports` are what is known of a message since. `other_at` is a second time
    that matters (UTC), and `other_is` what it is. An entry that repeats stands once: `times` and `last_at`
    (UTC) say how often and until when.
    """

    at: datetime
    kind: Kind
    what: str
    why: str = ""
    channel: Channel | None = None
    steps: tuple[str, ...] = ()
    amount_minor: int | None = None
    currency: str | None = None
    text: str | None = None
    body: str | None = None
    reports: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    other_at: datetime | None = None
    other_is: str = "until"
    case_id: str | None = None
    plan_id: str | None = None
    command_id: str | None = None
    times: int = 1
    last_at: datetime | None = None


CHANNELS = {
    Channel.EMAIL: "e-mail",
    Channel.SMS: "text message",
    Channel.PUSH: "push message",
    Channel.IN_APP: "message in the app",
    Channel.PHONE: "call",
    Channel.LETTER: "letter",
}
"""Each way to reach a customer as a person calls it."""

_OF_THE_EVENT = frozenset({Outcome.RECORDED, Outcome.UPDATED, Outcome.IGNORED})
"""Outcomes that say what an event meant, and stand beside it."""

_OF_A_CASE = frozenset({Outcome.OPENED, Outcome.UPDATED, Outcome.HELD, Outcome.REANCHORED, Outcome.CLOSED})
"""Outcomes that are of a case, or of the reminders of a plan."""

_OF_NO_EVENT = frozenset({ReasonCode.POLICY_REPLACED, ReasonCode.SEGMENT_CHANGED, ReasonCode.BROUGHT_FORWARD})
"""Reasons that would be given at any input."""

_SAID_BY_THE_EVENT = frozenset(
    {
        ReasonCode.FEEDBACK,
        ReasonCode.PROFILE_UPDATED,
        ReasonCode.PAYMENT_FAILED,
        ReasonCode.PAYMENT_REVERSED,
        ReasonCode.RESPONSE,
        ReasonCode.REPLIED,
        ReasonCode.PLAN_CHANGED,
        ReasonCode.PAID,
        ReasonCode.CARD_UPDATED,
    }
)
"""Reasons that add nothing to the event that they stand beside."""

_ACCOUNT = {
    Outcome.SUSPENDED: "suspend",
    Outcome.REACTIVATED: "reactivate",
    Outcome.REVIEWED: "ask a person to look",
}
_NOT_SENT = frozenset(
    {Outcome.DEFERRED, Outcome.SUPPRESSED, Outcome.SUPERSEDED, Outcome.CANCELLED, Outcome.BLOCKED}
)

_OTHERWISE = {
    (Outcome.CANCELLED, ReasonCode.HOLD_FOR_REPLY): "case waits no longer: the reply was answered",
    (Outcome.SUPPRESSED, ReasonCode.ALREADY_SUSPENDED): "not suspended again",
    (Outcome.SUPPRESSED, ReasonCode.STILL_OWED): "not reactivated",
}
"""What means something else together than the outcome does by itself."""

# Deliveries are many, and stand beside their message.
_ONLY_REPORTED = frozenset({FeedbackKind.DELIVERED, FeedbackKind.OPENED, FeedbackKind.NO_ANSWER})


def story(told: Iterable[Told], until: datetime) -> tuple[Entry, ...]:
    """All that was decided up to a moment (UTC, included), the earliest first.

    What is told may be in any order, and of the same moment is taken in the order given. An event without a
    decision stands at the end, with the time at which it occurred: nothing has come of it yet.
    """
    decisions: list[DecisionRecord] = []
    commands: dict[str, Command] = {}
    events: dict[str, CustomerEvent] = {}
    for each in told:
        if isinstance(each, DecisionRecord):
            if each.decided_at <= until:
                decisions.append(each)
        elif isinstance(each, NotificationCommand | AccountCommand):
            commands[each.command_id] = each
        else:
            events.setdefault(each.event_id, each)
    decisions.sort(key=lambda record: record.decided_at)
    decided = {record.input.event_id for record in decisions}
    reports = _reports(events[event_id] for event_id in events if event_id in decided)
    entries = [entry for record in decisions for entry in _decided(record, events, commands, reports)]
    entries += [
        replace(_happened(event), why="nothing has been decided about it")
        for event in events.values()
        if event.event_id not in decided and event.occurred_at <= until
    ]
    return tuple(_once(entries))


def _reports(events: Iterable[CustomerEvent]) -> dict[str, list[str]]:
    reports: dict[str, list[str]] = defaultdict(list)
    for event in events:
        if isinstance(event, Feedback):
            reports[event.command_id].append(event.kind.replace("_", " "))
    return reports


def _decided(
    record: DecisionRecord,
    events: dict[str, CustomerEvent],
    commands: dict[str, Command],
    reports: dict[str, list[str]],
) -> Iterator[Entry]:
    event_id = record.input.event_id
    beside: list[Reason] = []
    apart: list[Reason] = []
    for reason in record.outcomes:
        is_beside = reason.outcome in _OF_THE_EVENT and reason.reason not in _OF_NO_EVENT
        (beside if is_beside and event_id is not None else apart).append(reason)
    if event_id is not None:
        event = events.get(event_id)
        entry = (
            Entry(at=record.decided_at, kind=Kind.EVENT, what=record.input.kind.replace("-", " "))
            if event is None
            else replace(_happened(event), at=record.decided_at)
        )
        said = [each for each in beside if not _says(event, each.reason)]
        words = dict.fromkeys(_beside(each) for each in said)
        entry = replace(entry, why="; ".join(words), case_id=_case_of(record))
        if words or not (isinstance(event, Feedback) and event.kind in _ONLY_REPORTED):
            yield entry
    # What ends a case ends all of its steps: one entry for them.
    for _, alike in groupby(apart, key=_alike):
        yield _outcome(record, list(alike), commands, reports)


def _says(event: CustomerEvent | None, reason: ReasonCode) -> bool:
    """Whether the reason adds nothing to the event. A reply that is read as an opt-out does not say so."""
    if isinstance(event, Feedback) and event.kind == reason.value:
        return True
    return reason in _SAID_BY_THE_EVENT


def _alike(reason: Reason) -> tuple[object, ...]:
    return (
        reason.outcome,
        reason.reason,
        reason.until,
        reason.case_id,
        reason.plan_id,
        reason.missing,
        reason.command_id,
    )


def _case_of(record: DecisionRecord) -> str | None:
    return next((each.case_id for each in record.outcomes if each.case_id is not None), None)


def _beside(reason: Reason) -> str:
    words = in_words(reason.reason)
    if reason.outcome is Outcome.IGNORED:
        return f"{in_words(reason.outcome, OUTCOMES)}: {words}"
    return words if reason.channel is None else f"{words} ({CHANNELS[reason.channel]})"


def _outcome(
    record: DecisionRecord,
    alike: Sequence[Reason],
    commands: dict[str, Command],
    reports: dict[str, list[str]],
) -> Entry:
    reason = alike[0]
    entry = Entry(
        at=record.decided_at,
        kind=Kind.CASE,
        what=_case_words(record, reason),
        why=_why(reason),
        channel=reason.channel,
        steps=tuple(each.step_id for each in alike if each.step_id is not None),
        missing=tuple(in_words(each, MISSING) for each in reason.missing),
        other_at=reason.until,
        case_id=reason.case_id,
        plan_id=reason.plan_id,
        command_id=reason.command_id,
    )
    command = commands.get(reason.command_id or "")
    if reason.outcome is Outcome.SENT:
        what = "message" if reason.channel is None else CHANNELS[reason.channel]
        entry = replace(
            entry,
            kind=Kind.CONTACT,
            what=what,
            reports=tuple(dict.fromkeys(reports.get(reason.command_id or "", ()))),
        )
        return _with_words(entry, command) if isinstance(command, NotificationCommand) else entry
    if reason.outcome in _ACCOUNT:
        what = _ACCOUNT[reason.outcome]
        if isinstance(command, AccountCommand):
            if reason.outcome is not Outcome.REVIEWED:
                what += f" {_subscription(command.subscription_id)}"
            entry = replace(entry, amount_minor=command.total_minor, currency=command.currency)
        return replace(entry, kind=Kind.ACCOUNT, what=what)
    if (reason.outcome, reason.reason) in _OTHERWISE:
        return replace(entry, what=_OTHERWISE[reason.outcome, reason.reason])
    if reason.outcome in _NOT_SENT:
        return replace(entry, kind=Kind.NOT_SENT, what=in_words(reason.outcome, OUTCOMES))
    return entry


def _case_words(record: DecisionRecord, reason: Reason) -> str:
    if reason.reason is ReasonCode.SEGMENT_CHANGED:
        return f"segment {record.segment or 'none'}"
    if reason.reason is ReasonCode.BROUGHT_FORWARD:
        return "brought forward"
    words = in_words(reason.outcome, OUTCOMES)
    if reason.outcome not in _OF_A_CASE:
        return words
    about = "reminders" if reason.plan_id is not None else "case" if reason.case_id is not None else ""
    return f"{about} {words}".strip()


def _why(reason: Reason) -> str:
    if reason.reason is ReasonCode.SEGMENT_CHANGED:
        return ""
    about = ", ".join(name for name in (reason.offer, reason.experiment) if name is not None)
    return f"{in_words(reason.reason)} ({about})" if about else in_words(reason.reason)


def _with_words(entry: Entry, command: NotificationCommand) -> Entry:
    return replace(
        entry,
        amount_minor=command.total_minor,
        currency=command.currency,
        text=command.subject or command.body.partition("\n")[0] or None,
        body=command.body or None,
        other_at=command.send_after if command.send_after > command.decided_at else None,
        other_is="not before",
    )


def _subscription(subscription_id: str | None) -> str:
    return "the account" if subscription_id is None else f"subscription {subscription_id}"


def _happened(event: CustomerEvent) -> Entry:  # noqa: C901 - one line for each kind of event
    """An event in words, at the time at which it occurred."""
    text: str | None = None
    amount: int | None = None
    currency: str | None = None
    channel: Channel | None = None
    other_at: datetime | None = None
    match event:
        case PaymentFailed():
            attempt = "" if event.attempt is None else f", attempt {event.attempt}"
            what = f"payment of invoice {event.invoice_id} failed{attempt}"
            text, amount, currency = event.decline_code, event.amount_minor, event.currency
        case PaymentRecovered():
            what = f"invoice {event.invoice_id} was paid"
            amount, currency = event.amount_minor, event.currency
        case PaymentReversed():
            what = f"payment of invoice {event.invoice_id} was taken back"
            text, amount, currency = event.reason, event.amount_minor, event.currency
        case InvoiceClosed():
            what = f"invoice {event.invoice_id}: {event.reason.replace('_', ' ')}"
        case CardExpiring():
            what = f"the {event.card.brand} card ending in {event.card.last4} expires"
            text = f"{event.card.exp_month:02}/{event.card.exp_year}"
        case CardUpdated():
            what = f"new card on file: {event.card.brand} ending in {event.card.last4}"
            text = "by the customer" if event.source == "customer" else "by the card's network"
        case RenewalUpcoming():
            what = f"{event.plan_name} (subscription {event.subscription_id}) renews"
            amount, currency, other_at = event.amount_minor, event.currency, event.renews_at
        case SubscriptionCancelled():
            what, text = f"subscription {event.subscription_id} was cancelled", event.reason
        case SubscriptionChanged():
            what, text = f"subscription {event.subscription_id}: {event.change}", event.plan_name
        case CustomerProfile():
            what = "profile updated: never to be reminded" if event.exempt else "profile updated"
        case _:
            what = f"{CHANNELS[event.channel]}: {event.kind.replace('_', ' ')}"
            text, channel, other_at = event.text, event.channel, event.promised_until
    return Entry(
        at=event.occurred_at,
        kind=Kind.EVENT,
        what=what,
        text=text,
        amount_minor=amount,
        currency=currency,
        channel=channel,
        other_at=other_at,
        other_is="on" if isinstance(event, RenewalUpcoming) else "until",
    )


def _once(entries: Iterable[Entry]) -> Iterator[Entry]:
    """What is said day after day of one case, or at once of several, as one entry."""
    standing: Entry | None = None
    for entry in entries:
        if standing is not None and _is_repeated(standing, entry):
            if entry.at > (standing.last_at or standing.at):
                times = standing.times + 1
                standing = replace(standing, times=times, last_at=entry.at, other_at=entry.other_at)
            continue
        if standing is not None:
            yield standing
        standing = entry
    if standing is not None:
        yield standing


def _is_repeated(standing: Entry, entry: Entry) -> bool:
    if entry.command_id is not None:
        return False
    at_once = entry.at == (standing.last_at or standing.at)
    apart = ("at", "last_at", "times", "other_at", *(("case_id", "plan_id") if at_once else ()))
    return replace(entry, **{name: getattr(standing, name) for name in apart}) == standing
