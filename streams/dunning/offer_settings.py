"""What may be offered with a reminder of a renewal: to whom, on what terms, how often. Part of the policy."""

from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from streams.dunning.audience import Condition
from streams.dunning.events import Channel
from streams.dunning.values import CurrencyCode, Days, MinorUnits, PositiveCount

OfferName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="An offer's name.")]
Percent = Annotated[int, Meta(ge=1, le=100, description="Percent.")]
OfferCount = Annotated[int, Meta(ge=0, le=1_000_000_000, description="Offers.")]


class OfferKind(StrEnum):
    """What an offer is for; its words follow it."""

    EARLY_RENEWAL = "early_renewal"
    LOYALTY = "loyalty"
    UPGRADE = "upgrade"
    SEASONAL = "seasonal"
    ANNIVERSARY = "anniversary"
    UPSELL = "upsell"


class Terms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the customer gets: exactly one of these. Billing grants it; the engine only says it."""

    percent_off: Annotated[Percent | None, Meta(description="So much off the renewal's amount.")] = None
    amount_off: Annotated[
        dict[CurrencyCode, MinorUnits],
        Meta(description="So much off, by currency; a renewal in another one gets no offer."),
    ] = field(default_factory=dict)
    price_part: Annotated[
        Percent | None, Meta(description="The offered plan (`plan_name`) at this part of its price.")
    ] = None


class Cap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often one customer is made the offer."""

    offers: Annotated[PositiveCount, Meta(description="At most so often.")] = 1
    per: Annotated[timedelta, Meta(description="In this time.")] = timedelta(days=365)


class OfferBudget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much is offered to all customers together, under this name, ever."""

    offers: Annotated[OfferCount, Meta(description="At most so many offers.")]
    money: Annotated[
        dict[CurrencyCode, MinorUnits],
        Meta(
            description="At most so much taken off in sum, and in no other currency; empty: no limit. Not "
            "with `price_part`, whose worth the engine does not know."
        ),
    ] = field(default_factory=dict)


class Offer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One offer. A segment names those that its customers may be made, the first that is for them rides.

    None is made to a customer who has an open case.
    """

    kind: OfferKind
    enabled: Annotated[bool, Meta(description="Whether it is made at all.")] = True
    when: Annotated[Condition, Meta(description="Which of the segment's customers.")] = field(
        default_factory=Condition
    )
    seasonal_tags: Annotated[
        tuple[str, ...], Meta(description="The profile has one of these among its seasonal tags.")
    ] = ()
    anniversary_within: Annotated[
        Days | None, Meta(description="So near, in local days, to the day on which the customer came.")
    ] = None
    intervals: Annotated[
        tuple[Literal["day", "week", "month", "quarter", "year"], ...],
        Meta(description="Only for terms of these lengths; empty: for all."),
    ] = ()
    minimum_amount: Annotated[
        dict[CurrencyCode, MinorUnits],
        Meta(description="Only for renewals of at least so much, and of no other currency; empty: for all."),
    ] = field(default_factory=dict)
    starts_on: Annotated[date | None, Meta(description="The first local day on which it is made.")] = None
    ends_on: Annotated[date | None, Meta(description="The last local day on which it is made, or holds.")] = (
        None
    )
    days_before_at_least: Annotated[
        Days, Meta(description="Only on reminders so many local days or more before the renewal.")
    ] = 0
    days_before_at_most: Annotated[
        Days, Meta(description="Only on reminders so many local days or fewer before the renewal.")
    ] = 400
    holds_for: Annotated[
        Days, Meta(description="Local days that the customer has to accept it; never past the renewal.")
    ]
    channels: Annotated[
        tuple[Channel, ...],
        Meta(min_length=1, description="Only on reminders by these; by others a reminder goes without it."),
    ] = (Channel.EMAIL, Channel.IN_APP)
    terms: Terms
    plan_name: Annotated[
        Annotated[str, Meta(min_length=1, max_length=80)] | None,
        Meta(description="The plan that it is about, as customers know it, for an upgrade or upsell."),
    ] = None
    cap: Cap = field(default_factory=Cap)
    budget: OfferBudget
