"""How much is remembered of one customer. Part of the policy."""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct

from streams.dunning.values import PositiveCount


class Memory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is remembered of one customer, at most; the oldest goes first."""

    event_ids: Annotated[PositiveCount, Meta(description="An event whose id is remembered counts once.")] = 64
    settlements: Annotated[
        PositiveCount,
        Meta(
            description="Invoices whose payment or closing beats an earlier failure. A failure of another "
            "invoice from before those that are forgotten is followed up, and leads to no suspension unless "
            "the invoice fails again: it may have been paid."
        ),
    ] = 32
    attempts: Annotated[
        PositiveCount, Meta(description="Failures per invoice: the first, and the latest.")
    ] = 16
    retries: Annotated[
        PositiveCount, Meta(description="Attempts per invoice and card, for the networks' budgets.")
    ] = 40
    attempts_in_all: Annotated[
        PositiveCount,
        Meta(
            description="Of `attempts` and `retries`, over all open invoices, which share them evenly: of "
            "each its first failure and its latest attempt stay in any case."
        ),
    ] = 128
    contacts: Annotated[PositiveCount, Meta(description="For the budget and the gate.")] = 24
    cancelled_subscriptions: Annotated[
        PositiveCount, Meta(description="Those for which nothing more is sent.")
    ] = 48
    invoices: Annotated[
        PositiveCount,
        Meta(description="Open ones, per case; a further one is ignored, and the decision says so."),
    ] = 20
    invoices_in_all: Annotated[
        PositiveCount,
        Meta(description="Open ones, over all cases; a further one is ignored, and the decision says so."),
    ] = 36
    cases: Annotated[
        PositiveCount, Meta(description="Live ones; a further one is ignored, and the decision says so.")
    ] = 20
    plans: Annotated[
        PositiveCount, Meta(description="Cards and renewals that are reminded of; a further one is ignored.")
    ] = 16
    disputes: Annotated[
        PositiveCount,
        Meta(
            description="Invoices in dispute, and decided ones, which go first. Once an open one is "
            "forgotten, the customer is not suspended: a person is asked to look."
        ),
    ] = 12
    card_updates: Annotated[PositiveCount, Meta(description="Cards put on file or renewed.")] = 8
    experiments: Annotated[
        PositiveCount, Meta(description="Whose arms are remembered: a policy has no more.")
    ] = 8
    offers: Annotated[
        PositiveCount,
        Meta(description="Offers made, for their caps; those that no cap counts go first, then the oldest."),
    ] = 8
    tags: Annotated[
        PositiveCount, Meta(description="Of a profile's segments, and of its seasonal tags: the first ones.")
    ] = 16
    tag_characters: Annotated[PositiveCount, Meta(description="A longer tag is not kept.")] = 40
    quiet_customers: Annotated[
        timedelta,
        Meta(
            description="Of a customer with nothing open, so long after the last event, only the profile "
            "and what has ended a channel are kept; one without either is dropped. Not less than the age at "
            "which a record is refused (400 days), or a late failure of a paid invoice would count."
        ),
    ] = timedelta(days=401)
