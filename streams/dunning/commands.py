"""What the engine says: commands to those who act, and the reason for all that is done and not done."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from msgspec import Struct, field

from streams.dunning.events import Channel


class InvoiceLine(Struct, frozen=True, kw_only=True):
    """One invoice that a command is about."""

    invoice_id: str
    subscription_id: str | None
    amount_minor: int
    currency: str
    first_failed_at: datetime


class Factor(StrEnum):
    """What a risk score is made of; the policy has a weight for each."""

    FAILED_PAYMENTS = "failed_payments"
    LATE_PAYMENTS = "late_payments"
    DAYS_LATE = "days_late"
    DOWNGRADES = "downgrades"
    ENGAGEMENT = "engagement"
    LAST_SEEN = "last_seen"
    SATISFACTION = "satisfaction"
    COMPLAINTS = "complaints"


class RiskFactor(Struct, frozen=True):
    """What one factor adds to a risk score."""

    factor: Factor
    points: int


class Risk(Struct, frozen=True):
    """How likely a customer is to leave or not to pay: `score` from 0 to 100, and what made it.

    The factors that add something, the weightiest first. Their points add up to the score, except where it
    is cut at 100.
    """

    score: int
    factors: tuple[RiskFactor, ...] = ()


class NotificationCommand(Struct, frozen=True, kw_only=True, tag_field="type", tag="notification-command"):
    """Ask a customer. `command_id` names what it is for, so a consumer may drop one that it has seen.

    Valid from `send_after` (`decided_at` or later) to `expires_at`; void afterwards. `variables` are the raw
    values of the template (ISO dates, minor units); `subject` and `body` are rendered from them by the
    policy's content in the customer's locale; `html_body` says the same as `body`, where the channel shows
    HTML. `total_minor` adds up `invoices`, in `currency`. `segment` is the one that the case opened in,
    of a reminder the customer's, and `tone` is how it is spoken to; `risk` is the customer's when it was
    decided.
    """

    command_id: str
    customer_id: str
    channel: Channel
    template: str
    locale: str
    purpose: Literal["transactional", "marketing"] = "transactional"
    subject: str | None = None
    body: str = ""
    html_body: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    invoices: tuple[InvoiceLine, ...] = ()
    total_minor: int | None = None
    currency: str | None = None
    offer: str | None = None
    experiment_arms: dict[str, str] = field(default_factory=dict)
    segment: str | None = None
    tone: str | None = None
    risk: Risk | None = None
    case_id: str | None = None
    plan_id: str | None = None
    step_id: str
    policy_version: str
    decided_at: datetime
    send_after: datetime
    expires_at: datetime


class AccountCommand(Struct, frozen=True, kw_only=True, tag_field="type", tag="account-command"):
    """Suspend or reactivate a subscription (the account, if the case names none), or have a person look."""

    command_id: str
    customer_id: str
    subscription_id: str | None
    action: Literal["suspend", "reactivate", "review"]
    reason: str
    case_id: str
    invoices: tuple[InvoiceLine, ...] = ()
    total_minor: int | None = None
    currency: str | None = None
    policy_version: str
    decided_at: datetime


Command = NotificationCommand | AccountCommand


class Outcome(StrEnum):
    """What became of a step, a case, a plan or an event."""

    OPENED = "opened"
    UPDATED = "updated"
    SENT = "sent"
    DEFERRED = "deferred"
    SUPPRESSED = "suppressed"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    IGNORED = "ignored"
    HELD = "held"
    REANCHORED = "reanchored"
    CLOSED = "closed"
    SUSPENDED = "suspended"
    REACTIVATED = "reactivated"
    BLOCKED = "blocked"
    REVIEWED = "reviewed"
    RECORDED = "recorded"
    WARNED = "warned"
    WITHHELD = "withheld"


class ReasonCode(StrEnum):
    """Why: the closed list. A consumer may count by it."""

    # What an event did.
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_REVERSED = "payment_reversed"
    DISPUTE_WON = "dispute_won"
    ANOTHER_ATTEMPT = "another_attempt"
    DUPLICATE_EVENT = "duplicate_event"
    SETTLED_BEFORE = "settled_before"
    STALE = "stale"
    ZERO_AMOUNT = "zero_amount"
    SUBSCRIPTION_CANCELLED = "subscription_cancelled"
    NO_OPEN_CASE = "no_open_case"
    LIMIT_REACHED = "limit_reached"
    PROFILE_UPDATED = "profile_updated"
    FEEDBACK = "feedback"
    RESPONSE = "response"
    PROMISE = "promise"
    CHANNEL_ENDED = "channel_ended"
    CHANNEL_RESTORED = "channel_restored"
    REVERSAL_NOT_PURSUED = "reversal_not_pursued"
    # Why a step went out or did not.
    STEP_DUE = "step_due"
    FIRST_CONTACT = "first_contact"
    NEW_CARD_FAILED = "new_card_failed"
    AUTHENTICATION_REQUIRED = "authentication_required"
    AUTHENTICATION_INTERVAL = "authentication_interval"
    PAID_BEFORE_SUSPENSION = "paid_before_suspension"
    SOFT_BOUNCE_RETRY = "soft_bounce_retry"
    BOUNCED = "bounced"
    LATER_STEP_DUE = "later_step_due"
    CONSOLIDATED = "consolidated"
    CONTACT_BUDGET = "contact_budget"
    CALL_BUDGET = "call_budget"
    OUTSIDE_WINDOW = "outside_window"
    CUSTOMER_RESPONDED = "customer_responded"
    NO_LIVE_CHANNEL = "no_live_channel"
    NO_ADDRESS = "no_address"
    EXEMPT = "exempt"
    BELOW_MINIMUM = "below_minimum"
    MINIMUM_REACHED = "minimum_reached"
    CARD_UPDATED = "card_updated"
    TOO_LATE = "too_late"
    CARD_NOT_IN_USE = "card_not_in_use"
    # Why a case or a plan ended or moved.
    PAID = "paid"
    VOIDED = "voided"
    WRITTEN_OFF = "written_off"
    CREDITED = "credited"
    DISPUTED = "disputed"
    INVOICE_LEFT = "invoice_left"
    EARLIER_FAILURE = "earlier_failure"
    CARD_EXPIRING = "card_expiring"
    RENEWAL_UPCOMING = "renewal_upcoming"
    CARD_REPLACED = "card_replaced"
    RENEWAL_MOVED = "renewal_moved"
    RENEWAL_PAID = "renewal_paid"
    SUBSCRIPTION_PAUSED = "subscription_paused"
    PLAN_CHANGED = "plan_changed"
    PLAN_ENDED = "plan_ended"
    # Suspension.
    GATE_MET = "gate_met"
    GATE_NOT_MET = "gate_not_met"
    ALREADY_SUSPENDED = "already_suspended"
    REVIEW_DUE = "review_due"
    ANCHOR_MOVED = "anchor_moved"
    STILL_OWED = "still_owed"
    POLICY_REPLACED = "policy_replaced"
    # Offers, experiments and consent.
    OFFER_NOT_ELIGIBLE = "offer_not_eligible"
    OFFER_BUDGET_SPENT = "offer_budget_spent"
    OFFER_CAP_REACHED = "offer_cap_reached"
    NO_MARKETING_CONSENT = "no_marketing_consent"
    OUTSIDE_MARKETING_WINDOW = "outside_marketing_window"
    HOLDOUT = "holdout"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    # Answers, channels and risk.
    REPLIED = "replied"
    HOLD_FOR_REPLY = "hold_for_reply"
    BROUGHT_FORWARD = "brought_forward"
    SEGMENT_CHANGED = "segment_changed"
    # What billing should know, and what is kept.
    RETRY_BUDGET_EXCEEDED = "retry_budget_exceeded"
    RETRY_FORBIDDEN = "retry_forbidden"
    STATE_DROPPED = "state_dropped"
    EXPOSED = "exposed"
    # Outside the budget, for a network or a law asks for it by today.
    REQUIRED_REMINDER = "required_reminder"
    # An offer whose total is kept elsewhere.
    OFFER_AWAITED = "offer_awaited"


class Missing(StrEnum):
    """What the suspension gate still lacks."""

    DELIVERED_CONTACTS = "delivered_contacts"
    DELIVERED_CHANNELS = "delivered_channels"
    FINAL_NOTICE = "final_notice"
    FINAL_NOTICE_AGE = "final_notice_age"
    FINAL_NOTICE_DELIVERED = "final_notice_delivered"
    NO_DISPUTE = "no_dispute"
    NO_PROMISE = "no_promise"
    NO_RECENT_RESPONSE = "no_recent_response"
    NOT_EXEMPT = "not_exempt"
    KNOWN_UNPAID = "known_unpaid"


class Reason(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One outcome and why; the identifiers say of what.

    `until` is when it is looked at again (UTC). `linked_case_id` is the case whose payment was reversed, if
    one opens for that. `offer` and `experiment` are named where it is about one. An outcome `warned` says
    what somebody else should mend, and stops nothing; `withheld` is of an offer: the message goes without it.
    """

    outcome: Outcome
    reason: ReasonCode
    case_id: str | None = None
    plan_id: str | None = None
    step_id: str | None = None
    channel: Channel | None = None
    command_id: str | None = None
    invoice_id: str | None = None
    until: datetime | None = None
    missing: tuple[Missing, ...] = ()
    linked_case_id: str | None = None
    offer: str | None = None
    experiment: str | None = None


class InputReference(Struct, frozen=True, kw_only=True):
    """The input that was decided upon. Topic, partition and offset are known only when it came by Kafka."""

    kind: str
    event_id: str | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


class DecisionRecord(Struct, frozen=True, kw_only=True, tag_field="type", tag="decision"):
    """The reasons for what one input did, and did not do, to one customer.

    `segment`, `risk` and `experiment_arms` are those of the customer after it.
    """

    decision_id: str
    customer_id: str
    input: InputReference
    decided_at: datetime
    policy_version: str
    segment: str | None = None
    risk: Risk | None = None
    experiment_arms: dict[str, str] = field(default_factory=dict)
    outcomes: tuple[Reason, ...]
