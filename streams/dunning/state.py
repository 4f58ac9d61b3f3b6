"""What is kept of one customer: the state of the fold.

Structs are written as arrays: a field may be added at the end, with a default, and none may be removed or
moved, so that state written by one release is read by the next.
"""

from datetime import datetime
from enum import IntEnum, StrEnum

from msgspec import Struct, field

from streams.dunning.due_renewal import DueRenewal
from streams.dunning.events import Card, Channel
from streams.dunning.offer_made import OfferMade
from streams.dunning.policy import DeclineClass, Policy, Priority

COUNTED_ONCE = 1000
"""What one happening adds to a count of the history: halving leaves something of it, in whole numbers."""


class Profile(Struct, frozen=True, array_like=True):
    """What of the customer's profile matters to a decision, as of `as_of`.

    `segments` and `seasonal_tags` are the profile's free tags, as many as the policy's memory keeps.
    """

    as_of: datetime
    timezone: str
    locale: str
    country: str
    region: str | None
    channels: tuple[Channel, ...]
    exempt: bool
    customer_since: datetime | None = None
    marketing_consent: bool = False
    preferred_channel: Channel | None = None
    segments: tuple[str, ...] = ()
    engagement: float | None = None
    last_seen_at: datetime | None = None
    satisfaction: int | None = None
    seasonal_tags: tuple[str, ...] = ()


class Retries(Struct, frozen=True, array_like=True):
    """What a network's rules need to know of the attempts to collect one invoice by one card.

    `attempted_at` ascend, the latest so many. `forbidden_since` is when the network first said never to try
    again, `not_before` until when it asked to wait.
    """

    network: str
    attempted_at: tuple[datetime, ...]
    forbidden_since: datetime | None = None
    not_before: datetime | None = None
    payment_method_id: str | None = None


class Invoice(Struct, frozen=True, array_like=True):
    """An unpaid invoice. `failures` ascend; a reversed payment counts as one.

    `restarted_at` is when a dispute about it was decided: what went before is not held against the customer.
    `unconfirmed` says that a payment of it may have been forgotten.
    """

    invoice_id: str
    subscription_id: str | None
    currency: str
    amount_minor: int
    failures: tuple[datetime, ...]
    attempts: int
    decline_class: DeclineClass
    next_retry_at: datetime | None = None
    card: Card | None = None
    pay_url: str | None = None
    restarted_at: datetime | None = None
    retries: Retries | None = None
    unconfirmed: bool = False
    told_reason: str | None = None

    @property
    def owed_since(self) -> datetime:
        """When it first failed, or when the dispute about it ended."""
        if self.restarted_at is not None and self.restarted_at > self.failures[0]:
            return self.restarted_at
        return self.failures[0]


class Deferral(Struct, frozen=True, array_like=True):
    """A step that has to wait. `retry` says that it was sent and bounced softly.

    `awaits_since` is since when it waits for an offer's total.
    """

    step_id: str
    until: datetime
    retry: bool = False
    awaits_since: datetime | None = None


class FinalNotice(Struct, frozen=True, array_like=True):
    """The notice that names the date of a suspension, and the commands that carried it."""

    sent_at: datetime
    command_ids: tuple[str, ...]


class Conversation(Struct, frozen=True, array_like=True):
    """What the customer has written about a case and nobody has dealt with: the first and the last reply.

    `dealt_with_at` is when a person last spoke with them or a promise was made: it answers what came before.
    """

    first_reply_at: datetime | None = None
    last_reply_at: datetime | None = None
    dealt_with_at: datetime | None = None


class BroughtForward(Struct, frozen=True, array_like=True):
    """A step that is due earlier than its ladder says, since what was written did not arrive."""

    step_id: str
    due: datetime


class Case(Struct, frozen=True, array_like=True):
    """One live dunning episode.

    `epoch` counts the moves of the anchor and `resends` the bounces: together they tell one occurrence of a
    step from another. `done` are the steps that this epoch is through with, sent or not. `ladder_from` is
    later than the first failure where the total reached the minimum later, or the failure arrived too late.
    `reviewed` is of the gate's review, `reviewed_for` are the other reasons why a person was asked to look.
    `segment` and `locale` are the customer's when it opened. `arms` (`experiment:arm`) are those for which it
    counts, `repeated_arms` are of an earlier case of the customer: it is treated by them without counting.
    """

    case_id: str
    subscription_id: str | None
    currency: str
    campaign: str
    policy_version: str
    opened_at: datetime
    invoices: tuple[Invoice, ...]
    linked_case_id: str | None = None
    dormant: bool = False
    ladder_from: datetime | None = None
    epoch: int = 0
    resends: int = 0
    done: tuple[str, ...] = ()
    deferral: Deferral | None = None
    card_updated_at: datetime | None = None
    held_until: datetime | None = None
    authentication_sent_at: datetime | None = None
    final_notice: FinalNotice | None = None
    gate_at: datetime | None = None
    blocked_since: datetime | None = None
    reviewed: bool = False
    conversation: Conversation | None = None
    brought_forward: BroughtForward | None = None
    reviewed_for: tuple[str, ...] = ()
    segment: str | None = None
    locale: str = ""
    arms: tuple[str, ...] = ()
    repeated_arms: tuple[str, ...] = ()

    @property
    def anchor(self) -> datetime:
        """What every step of the ladder is counted from."""
        earliest = min(invoice.owed_since for invoice in self.invoices)
        if self.ladder_from is not None and self.ladder_from > earliest:
            return self.ladder_from
        return earliest

    @property
    def total_minor(self) -> int:
        """What is owed, in minor units of the case's currency."""
        return sum(invoice.amount_minor for invoice in self.invoices)

    @property
    def occurrence(self) -> str:
        """Tells a step's sending from an earlier one of the same step in the same case."""
        return f"{self.epoch}.{self.resends}"


class PlanKind(StrEnum):
    """What a plan reminds of."""

    CARD = "card"
    RENEWAL = "renewal"


class Plan(Struct, frozen=True, array_like=True):
    """The reminders for one expiring card or one coming renewal.

    `subject_id` is the card's or the subscription's id; `variables` are what its messages say. The arms are
    as a case's.
    """

    plan_id: str
    kind: PlanKind
    subject_id: str
    as_of: datetime
    opened_at: datetime
    ends_at: datetime
    policy_version: str
    variables: dict[str, str]
    interval: str | None = None
    subscription_ids: tuple[str, ...] = ()
    sent: int = 0
    resends: int = 0
    done: tuple[str, ...] = ()
    deferral: Deferral | None = None
    arms: tuple[str, ...] = ()
    repeated_arms: tuple[str, ...] = ()


class PendingKind(StrEnum):
    """The messages that events cause, outside the ladder."""

    NEW_CARD_FAILED = "new_card_failed"
    AUTHENTICATION = "authentication"


class Pending(Struct, frozen=True, array_like=True):
    """A message that an event has caused and that has not been sent. `occurrence` names the cause."""

    kind: PendingKind
    case_id: str
    due: datetime
    occurrence: str
    retry: bool = False


class ContactStatus(IntEnum):
    """What is known of a contact; a higher one replaces a lower one.

    A bounce outweighs a `delivered`, which the next server may say too early; nothing but a person clicks.
    """

    SENT = 0
    TRIED = 1
    DELIVERED = 2
    BOUNCED = 3
    RESPONDED = 4


class Contact(Struct, frozen=True, array_like=True):
    """A notification command that went out, and what its outcomes are counted by.

    `counted` are the things that were counted of it, a bit each (`streams.dunning.attribution`).
    """

    command_id: str
    channel: Channel
    sent_at: datetime
    step_id: str
    occurrence: str
    priority: Priority
    case_ids: tuple[str, ...] = ()
    plan_id: str | None = None
    currency: str | None = None
    retry: bool = False
    status: ContactStatus = ContactStatus.SENT
    counted: int = 0
    campaign: str | None = None
    template: str = ""
    segment: str | None = None
    locale: str = ""
    arms: tuple[str, ...] = ()


class Settlement(Struct, frozen=True, array_like=True):
    """An invoice that was paid or closed at `at`: no failure up to then counts.

    `for_good` says that it was voided, credited or written off: no failure counts any more.
    """

    invoice_id: str
    at: datetime
    case_id: str | None = None
    for_good: bool = False


class Dispute(Struct, frozen=True, array_like=True):
    """An invoice in dispute, or one whose dispute was decided. `parked` waits for the decision."""

    invoice_id: str
    at: datetime
    is_open: bool
    parked: Invoice | None = None


class Suspended(Struct, frozen=True, array_like=True):
    """A subscription (the account, if None) that is suspended, and the cases that hold it so."""

    subscription_id: str | None
    case_ids: tuple[str, ...]
    decided_at: datetime


class ChannelStatus(Struct, frozen=True, array_like=True):
    """The customer's own word about a channel: opted out or in again, or complained."""

    alive: bool
    at: datetime


class CardUpdate(Struct, frozen=True, array_like=True):
    """A card put on file or renewed. `replaced` is the id of the card that it stands for, if known."""

    at: datetime
    card: Card
    source: str = "customer"
    replaced: str | None = None


class History(Struct, frozen=True, array_like=True):
    """The past in numbers, last halved at `halved_at`.

    Counts are in parts of `COUNTED_ONCE`, `days_late` too; `paid` is in minor units by currency, the one of
    the latest payment last.
    """

    halved_at: datetime
    failed_payments: int = 0
    late_payments: int = 0
    days_late: int = 0
    downgrades: int = 0
    complaints: int = 0
    cases: int = 0
    case_ended_at: datetime | None = None
    paid: dict[str, int] = field(default_factory=dict)


class CustomerState(Struct, frozen=True, array_like=True):
    """All that is kept of one customer. `next_due` is when a tick next has something to do (UTC).

    `card_update` is of earlier releases, which kept one; now it is `card_updates`. `failed_addresses` are the
    channels whose address bounced for good, and when. `segment` is the one at the last decision. `forget_at`
    is when what is remembered has lasted long enough, while nothing is open. `exposures` are the arms
    (`experiment:arm`) that the customer has come to be in, one of each experiment. `cancelled`
    are fingerprints of subscriptions, where earlier releases kept `cancelled_subscriptions`. `settled_until`
    is when the latest settlement was that is forgotten; `dispute_forgotten` says that an open dispute is.
    `offers` are those made, the latest last.
    """

    customer_id: str
    clock: datetime
    next_due: datetime | None = None
    profile: Profile | None = None
    cases: tuple[Case, ...] = ()
    plans: tuple[Plan, ...] = ()
    pending: tuple[Pending, ...] = ()
    contacts: tuple[Contact, ...] = ()
    channels: dict[Channel, ChannelStatus] = field(default_factory=dict)
    responded_at: datetime | None = None
    promised_until: datetime | None = None
    suspended: tuple[Suspended, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    cancelled_subscriptions: tuple[str, ...] = ()
    card_update: CardUpdate | None = None
    event_ids: tuple[bytes, ...] = ()
    card_updates: tuple[CardUpdate, ...] = ()
    failed_addresses: dict[Channel, datetime] = field(default_factory=dict)
    history: History | None = None
    segment: str | None = None
    forget_at: datetime | None = None
    due_renewals: tuple[DueRenewal, ...] = ()
    exposures: tuple[str, ...] = ()
    cancelled: tuple[bytes, ...] = ()
    settled_until: datetime | None = None
    dispute_forgotten: bool = False
    offers: tuple[OfferMade, ...] = ()

    @property
    def due(self) -> datetime | None:
        """When a tick next looks at the customer (UTC): to do something, or to forget."""
        return self.forget_at if self.next_due is None else self.next_due

    def case(self, case_id: str) -> Case | None:
        """The live case of that id."""
        return next((case for case in self.cases if case.case_id == case_id), None)

    def plan(self, plan_id: str) -> Plan | None:
        """The running plan of that id."""
        return next((plan for plan in self.plans if plan.plan_id == plan_id), None)

    @property
    def exempt(self) -> bool:
        """Whether this customer is never dunned."""
        return self.profile is not None and self.profile.exempt

    def locale(self, policy: Policy) -> str:
        """The customer's, or the policy's where theirs is not known (BCP 47)."""
        return policy.default_locale if self.profile is None else self.profile.locale
