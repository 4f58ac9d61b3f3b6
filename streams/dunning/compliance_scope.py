"""Whose rules a policy has to meet, and the reminders that they ask for."""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.dunning.events import Channel

Interval = Literal["day", "week", "month", "quarter", "year"]
Occasion = Literal["renewal", "trial_end", "price_change"]


class ReminderWindow(Struct, frozen=True, kw_only=True):
    """A reminder that is asked for on an occasion: so many local days before the renewal, by these channels.

    `applies_to` is a network (`visa`) or a jurisdiction (ISO 3166: `US-CA`, `FR`); `intervals` are the terms
    that it is about (empty: all), `trial_longer_than_days` the trials. In force from `effective_from` up to
    `effective_until`, excluded.
    """

    applies_to: str
    occasion: Occasion
    at_least_days: int
    at_most_days: int | None
    intervals: tuple[Interval, ...]
    trial_longer_than_days: int | None
    channels: tuple[Channel, ...]
    effective_from: date
    effective_until: date | None

    def in_force(self, on: date) -> bool:
        """Whether it holds on a date."""
        return self.effective_from <= on and (self.effective_until is None or on < self.effective_until)

    def binds_in(self, country: str, region: str | None) -> bool:
        """Whether it holds for a customer there; a network's does everywhere."""
        if self.applies_to.islower():
            return True
        its_country, _, its_region = self.applies_to.partition("-")
        return country == its_country and (not its_region or region is None or region == its_region)

    def holds(self, days_before: int) -> bool:
        """Whether a reminder so many days before the renewal lies in it."""
        return self.at_least_days <= days_before and (
            self.at_most_days is None or days_before <= self.at_most_days
        )


class Compliance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The networks and jurisdictions whose rules the policy is held to; `docs/compliance.md` has them all."""

    networks: Annotated[tuple[str, ...], Meta(description="Card networks, in lower case.")] = (
        "visa",
        "mastercard",
    )
    jurisdictions: Annotated[
        tuple[str, ...],
        Meta(description="ISO 3166: `US-CA`, `FR`. Name every place where customers are billed."),
    ] = ("US", "US-CA", "US-FL")
    windows: Annotated[
        tuple[ReminderWindow, ...],
        Meta(description="The reminders that they ask for; set by loading, never written."),
    ] = ()
