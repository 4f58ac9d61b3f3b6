"""Whom a policy speaks to and how: segments, tones, and what makes a customer a risk. Part of the policy."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct, field

from streams.dunning.values import Count, CountryCode, CurrencyCode, MinorUnits, Score, SegmentName


class Tone(StrEnum):
    """How a message speaks: like a friend who helps, like a good clerk, or in as few words as will do."""

    SUPPORTIVE = "supportive"
    FORMAL = "formal"
    SHORT = "short"


class Condition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a segment takes: those of whom all that is set holds. Nothing set: everybody."""

    tenure_at_least: Annotated[
        timedelta | None, Meta(description="A customer for so long; of whom that is not known is not.")
    ] = None
    tenure_less_than: Annotated[
        timedelta | None, Meta(description="A customer for less long; of whom that is not known is not.")
    ] = None
    no_case_for: Annotated[
        timedelta | None,
        Meta(description="No case is open, and the last ended so long ago or there is none."),
    ] = None
    cases_at_least: Annotated[
        Count | None, Meta(description="Cases opened, as far as the history remembers them.")
    ] = None
    risk_at_least: Annotated[Score | None, Meta(description="The risk score is so high.")] = None
    risk_less_than: Annotated[Score | None, Meta(description="The risk score is lower.")] = None
    value_at_least: Annotated[
        dict[CurrencyCode, MinorUnits],
        Meta(description="In one of these currencies so much was paid, as far as the history remembers it."),
    ] = field(default_factory=dict)
    tags: Annotated[
        tuple[str, ...], Meta(description="The profile has one of these among its segments.")
    ] = ()
    countries: Annotated[
        tuple[CountryCode, ...], Meta(description="The profile's country is one of these.")
    ] = ()


class Segment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of segmentation."""

    name: SegmentName
    when: Annotated[
        Condition, Meta(description="Whom it takes, of those whom no rule before it has taken.")
    ] = field(default_factory=Condition)
    campaign: Annotated[
        str | None,
        Meta(description="The campaign of a case that opens; without it `default_campaign`."),
    ] = None
    tone: Annotated[Tone | None, Meta(description="How messages speak; without it `default_tone`.")] = None
    offers: Annotated[
        tuple[str, ...], Meta(description="Offers that may ride on reminders of a renewal, by name.")
    ] = ()


class Weight(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a factor adds to the risk score."""

    points: Annotated[Score, Meta(description="For each unit.")]
    most: Annotated[Score, Meta(description="However many units.")]


class RiskWeights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes the risk score; it is the sum, and 100 at most. What is not known adds nothing."""

    failed_payments: Annotated[Weight, Meta(description="For each invoice that failed or was reversed.")] = (
        Weight(points=8, most=24)
    )
    late_payments: Annotated[Weight, Meta(description="For each invoice paid after it had failed.")] = Weight(
        points=6, most=18
    )
    days_late: Annotated[
        Weight, Meta(description="For each seven days between a failure and its payment, or up to now.")
    ] = Weight(points=2, most=16)
    downgrades: Annotated[Weight, Meta(description="For each change to a smaller plan.")] = Weight(
        points=8, most=16
    )
    engagement: Annotated[Weight, Meta(description="For each tenth that the engagement lies below 1.")] = (
        Weight(points=2, most=18)
    )
    last_seen: Annotated[Weight, Meta(description="For each thirty days since the customer was seen.")] = (
        Weight(points=4, most=16)
    )
    satisfaction: Annotated[
        Weight, Meta(description="For each step that the satisfaction lies below `satisfied_from`.")
    ] = Weight(points=3, most=21)
    complaints: Annotated[Weight, Meta(description="For each complaint about a message.")] = Weight(
        points=12, most=24
    )
    satisfied_from: Annotated[
        int, Meta(ge=0, le=10, description="A customer this satisfied (0 to 10) is no risk by that.")
    ] = 7


class HistoryRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the past counts: failures, late payments, downgrades, complaints, cases, and what was paid."""

    halved_every: Annotated[
        timedelta, Meta(description="After each such time every count, and all that was paid, is halved.")
    ] = timedelta(days=180)
    most: Annotated[Count, Meta(description="A count goes no higher.")] = 1000
    currencies: Annotated[
        Count,
        Meta(description="In so many what was paid is remembered; that of the oldest payment goes first."),
    ] = 4


class Links(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a customer can act: https addresses. A text says in words what it has no link for.

    `{customer_id}`, `{command_id}` and `{locale}` may stand after the host.
    """

    pay: Annotated[str | None, Meta(description="To pay, where a failed payment brings no link.")] = None
    update_card: Annotated[str | None, Meta(description="To change the card or the way to pay.")] = None
    manage: Annotated[str | None, Meta(description="The account: plan, invoices, details.")] = None
    cancel: Annotated[str | None, Meta(description="To cancel a subscription.")] = None
