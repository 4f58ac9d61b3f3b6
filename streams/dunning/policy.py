"""The policy: everything that a billing team may decide, as frozen values that the domain reads.

This is also the model of the policy's file: its JSON Schema is generated from here, with the `description`s.
Durations are ISO 8601 (`P3D`, `PT24H`), times of day `HH:MM` local to the customer, money ISO 4217 minor
units. Loading, checking and content live in `streams.policy`.
"""

from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from streams.dunning.audience import HistoryRules, Links, RiskWeights, Segment, Tone
from streams.dunning.compliance_scope import Compliance
from streams.dunning.contact_settings import BringForward, CallSheet, FollowPreference
from streams.dunning.events import Channel
from streams.dunning.experiment_settings import Arm, Experiment, label
from streams.dunning.memory import Memory
from streams.dunning.offer_settings import Offer, OfferName
from streams.dunning.reply_words import ReplyWords
from streams.dunning.retry_rules import NetworkRules, RetryRule, by_network
from streams.dunning.told_reasons import ToldReasons
from streams.dunning.values import (
    Count,
    CurrencyCode,
    Days,
    LocalTime,
    MinorUnits,
    PositiveCount,
    SegmentName,
    StepId,
    TemplateName,
    ZoneName,
)
from streams.dunning.window_settings import Marketing, Window


class DeclineClass(StrEnum):
    """What a decline means for the customer.

    `soft` may be retried; `hard` needs a new card; `authentication` needs the customer's confirmation at the
    bank; `fraud` (lost, stolen, pick-up) is worded like `hard` and never named.
    """

    SOFT = "soft"
    HARD = "hard"
    AUTHENTICATION = "authentication"
    FRAUD = "fraud"


class Priority(StrEnum):
    """What a message is about, for the budget of contacts."""

    FINAL_NOTICE = "final_notice"
    FAILURE = "failure"
    AUTHENTICATION = "authentication"
    RENEWAL = "renewal"
    EXPIRY = "expiry"
    OFFER = "offer"


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a ladder, `day` local days after the anchor."""

    id: StepId
    day: Days
    action: Annotated[
        Literal["notify", "final_notice", "suspend"],
        Meta(description="A final notice names the date of the suspension and is outside the budget."),
    ] = "notify"
    channels: Annotated[
        tuple[Channel, ...],
        Meta(
            description="The first is the step's channel and falls to the next live one if it is dead; "
            "further ones are used as well if the customer has an address there."
        ),
    ] = ()
    template: Annotated[
        str | None, Meta(description="The message; a variant for the class of decline is chosen by itself.")
    ] = None
    only_if: Annotated[
        Literal["always", "no_response"],
        Meta(description="`no_response`: only if the customer has not responded since the anchor."),
    ] = "always"
    follow_preference: FollowPreference = False


class Campaign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """How a failed payment is followed up."""

    ladder: Annotated[
        tuple[Step, ...], Meta(min_length=1, description="Ordered by day; the first is due at once.")
    ]

    # Asked for at every decision, so worked out once.

    @cached_property
    def notifying(self) -> tuple[Step, ...]:
        """The steps that ask the customer, in order."""
        return tuple(step for step in self.ladder if step.action != "suspend")

    @cached_property
    def final_notice(self) -> Step | None:
        """The step that names the date of the suspension."""
        return next((step for step in self.ladder if step.action == "final_notice"), None)

    @cached_property
    def suspend(self) -> Step | None:
        """The step that suspends."""
        return next((step for step in self.ladder if step.action == "suspend"), None)


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message that an event causes, outside the ladder."""

    channels: Annotated[
        tuple[Channel, ...],
        Meta(min_length=1, description="The first, or what it falls to, and further live ones."),
    ]
    template: TemplateName
    follow_preference: FollowPreference = False


class Messages(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The messages that events cause."""

    new_card_failed: Annotated[Message, Meta(description="The card that replaced the failed one failed too.")]
    authentication: Annotated[Message, Meta(description="The bank asks for the customer's confirmation.")]
    apology: Annotated[
        Message, Meta(description="The account was suspended although the payment had been made.")
    ]


class Reminder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One reminder before a card's or a term's end."""

    id: StepId
    days_before: Days
    channels: Annotated[
        tuple[Channel, ...],
        Meta(min_length=1, description="The first, or what it falls to, and further live ones."),
    ]
    template: TemplateName
    intervals: Annotated[
        tuple[Literal["day", "week", "month", "quarter", "year"], ...],
        Meta(description="Only for terms of these lengths; empty: for all. Ignored for cards."),
    ] = ()
    follow_preference: FollowPreference = False
    segments: Annotated[
        tuple[SegmentName, ...], Meta(description="Only for customers of these segments; empty: for all.")
    ] = ()
    minimum_amount: Annotated[
        dict[CurrencyCode, MinorUnits],
        Meta(
            description="Only for renewals of at least so much, and of no other currency; empty: for all. "
            "Ignored for cards."
        ),
    ] = field(default_factory=dict)

    @property
    def is_for_everyone(self) -> bool:
        """Whether every customer gets it, whatever their segment and the amount."""
        return not self.segments and not self.minimum_amount


class CardReminders(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reminders before the last day of a card's expiry month."""

    reminders: Annotated[tuple[Reminder, ...], Meta(description="In any order; each is sent once.")]
    reminders_without_subscription: Annotated[
        Count, Meta(description="At most so many if no paid subscription uses the card.")
    ] = 1


class RenewalReminders(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reminders before a renewal."""

    reminders: Annotated[tuple[Reminder, ...], Meta(description="In any order; each is sent once.")]
    heard_of_within: Annotated[
        timedelta, Meta(description="What is paid or fails so long after a renewal counts as its outcome.")
    ] = timedelta(days=3)


class Budget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often one customer may be contacted, over all cases and plans, in local days."""

    per_day: Annotated[PositiveCount, Meta(description="Contacts in one local day.")] = 1
    per_seven_days: Annotated[PositiveCount, Meta(description="Contacts in seven local days.")] = 3
    calls_per_seven_days: Annotated[
        PositiveCount,
        Meta(description="Calls in seven days; 12 CFR 1006.14(b)(2) (Regulation F) allows seven."),
    ] = 7


class Suspension(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The gate before an account is suspended."""

    contacts: Annotated[PositiveCount, Meta(description="Delivered contacts that it takes.")] = 2
    channels: Annotated[
        PositiveCount, Meta(description="Channels that they take, as far as so many are live.")
    ] = 2
    widen_notice: Annotated[
        bool,
        Meta(
            description="Where a case has been spoken of by fewer channels than the gate asks for, the final "
            "notice goes by further live ones as well."
        ),
    ] = True
    notice: Annotated[
        timedelta, Meta(description="The final notice is at least so old, by the hour: P7D are 168 hours.")
    ] = timedelta(days=7)
    notice_valid_for: Annotated[timedelta, Meta(description="An older final notice is sent again first.")] = (
        timedelta(days=60)
    )


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """The whole configuration. A version is the hash of its content (`streams.policy`)."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$", description="What people call it.")]
    campaigns: Annotated[
        dict[str, Campaign], Meta(min_length=1, description="How failed payments are followed up, by name.")
    ]
    default_campaign: Annotated[str, Meta(description="The campaign of a case that opens.")] = "standard"
    segments: Annotated[
        tuple[Segment, ...], Meta(description="In order: the first whose conditions hold takes the customer.")
    ] = ()
    risk: RiskWeights = field(default_factory=RiskWeights)
    history: HistoryRules = field(default_factory=HistoryRules)
    messages: Messages
    cards: CardReminders
    renewals: RenewalReminders
    minimum_amount: Annotated[
        dict[CurrencyCode, MinorUnits],
        Meta(description="A case under this total is dormant; a currency that is not named has no minimum."),
    ] = field(default_factory=dict)
    hold_after_card_update: Annotated[
        timedelta, Meta(description="The ladder waits so long for the next attempt on a new card.")
    ] = timedelta(days=3)
    hold_after_promise: Annotated[
        timedelta, Meta(description="The ladder waits so long after the promised time.")
    ] = timedelta(days=1)
    promise_without_date: Annotated[
        timedelta, Meta(description="A promise that names no time is one for so long.")
    ] = timedelta(days=7)
    longest_promise: Annotated[timedelta, Meta(description="A promise counts for so long at most.")] = (
        timedelta(days=45)
    )
    hold_after_reply: Annotated[
        timedelta,
        Meta(
            description="After a reply a case waits so long for a person or a promise; then it becomes a "
            "review, and the ladder goes on."
        ),
    ] = timedelta(days=7)
    recent_response: Annotated[timedelta, Meta(description="A response postpones a suspension so long.")] = (
        timedelta(days=14)
    )
    assume_delivered_after: Annotated[
        dict[Channel, timedelta | None],
        Meta(
            description="A contact that has not bounced counts as delivered after this; `never` (here None): "
            "only feedback says so."
        ),
    ]
    review_after: Annotated[
        timedelta, Meta(description="A suspension blocked so long becomes a review by a person.")
    ] = timedelta(days=30)
    authentication_interval: Annotated[
        timedelta, Meta(description="One message about an authentication in this time.")
    ] = timedelta(hours=24)
    soft_bounce_retry_after: Annotated[timedelta, Meta(description="Retried once, after this.")] = timedelta(
        days=1
    )
    late_arrival_grace: Annotated[
        timedelta,
        Meta(
            description="A failure that arrives later than this after it occurred is followed up from "
            "its arrival."
        ),
    ] = timedelta(days=7)
    command_validity: Annotated[
        timedelta, Meta(description="A command not sent so long after `send_after` is void.")
    ] = timedelta(days=2)
    contact_hour: Annotated[LocalTime, Meta(description="Local time of all that is not due at once.")] = (
        "09:00"
    )
    default_zone: Annotated[
        ZoneName, Meta(description="The zone of customers of whom neither zone nor country is known.")
    ] = "UTC"
    default_locale: Annotated[
        str, Meta(description="The language where a customer's own has no text, or is not known (BCP 47).")
    ] = "en"
    default_tone: Annotated[
        Tone, Meta(description="How messages speak to customers whose segment sets no other tone.")
    ] = Tone.SUPPORTIVE
    sender: Annotated[
        Annotated[str, Meta(min_length=1, max_length=60)] | None,
        Meta(description="Who signs: the company, as its customers know it."),
    ] = None
    links: Links = field(default_factory=Links)
    zones: Annotated[
        dict[str, ZoneName],
        Meta(description="Country (ISO 3166-1 alpha-2) to the zone of customers whose own is not known."),
    ] = field(default_factory=dict)
    channel_order: Annotated[
        tuple[Channel, ...], Meta(description="The order in which a dead channel's steps fall to the next.")
    ] = (Channel.EMAIL, Channel.IN_APP, Channel.PUSH, Channel.SMS, Channel.PHONE, Channel.LETTER)
    channels_without_profile: Annotated[
        tuple[Channel, ...], Meta(description="What a customer with no profile is taken to have.")
    ] = (Channel.EMAIL,)
    preferable_channels: Annotated[
        tuple[Channel, ...],
        Meta(
            description="A customer's preferred channel counts if it is one of these (`follow_preference`)."
        ),
    ] = (Channel.EMAIL, Channel.IN_APP, Channel.PUSH, Channel.SMS)
    windows: Annotated[
        dict[Channel, Window], Meta(description="A channel without one may be used at any hour.")
    ] = field(default_factory=dict)
    bring_call_forward: BringForward = field(default_factory=BringForward)
    reply_words: ReplyWords = field(default_factory=ReplyWords)
    call_sheet: CallSheet = field(default_factory=CallSheet)
    budget: Budget = field(default_factory=Budget)
    marketing: Marketing = field(default_factory=Marketing)
    offers: Annotated[
        dict[OfferName, Offer], Meta(max_length=32, description="Offers on reminders of renewals, by name.")
    ] = field(default_factory=dict)
    priorities: Annotated[
        tuple[Priority, ...], Meta(description="Who goes first when not all fits the budget.")
    ] = tuple(Priority)
    suspension: Suspension = field(default_factory=Suspension)
    reversals: Annotated[
        tuple[Literal["chargeback", "refund", "returned"], ...],
        Meta(description="Reversed payments that open a case."),
    ] = ("chargeback", "refund", "returned")
    declines: Annotated[
        dict[str, dict[str, DeclineClass]],
        Meta(
            description="Table (a network in lower case, `iso8583`, `vendor`, `mastercard_advice`) to code "
            "to class."
        ),
    ] = field(default_factory=dict)
    default_decline_class: Annotated[
        DeclineClass, Meta(description="What a code that no table knows means, and a failure without a code.")
    ] = DeclineClass.SOFT
    told_reasons: ToldReasons = field(default_factory=dict)
    compliance: Compliance = field(default_factory=Compliance)
    retries: Annotated[
        dict[str, RetryRule],
        Meta(description="What the networks demand of retries, by name; none without an entry."),
    ] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    version: Annotated[str, Meta(description="The hash of the content; set by loading, never written.")] = ""
    earlier: Annotated[
        dict[str, dict[str, Campaign]],
        Meta(description="Campaigns of earlier versions, for the cases that run by them; set by loading."),
    ] = field(default_factory=dict)
    experiments: Annotated[
        tuple[Experiment, ...], Meta(description="In order: of two that change the same, the first does.")
    ] = ()
    earlier_arms: Annotated[
        dict[str, dict[str, Arm]], Meta(description="Arms of earlier versions, as `earlier`; set by loading.")
    ] = field(default_factory=dict)

    # Asked for at every failure, so worked out once.

    @cached_property
    def retry_rules(self) -> dict[str, NetworkRules]:
        """The rules of `retries` by network."""
        return by_network(self.retries.values())

    @cached_property
    def arms(self) -> dict[str, Arm]:
        """The arms of all experiments by `experiment:arm`."""
        return {label(each.name, arm.name): arm for each in self.experiments for arm in each.arms}
