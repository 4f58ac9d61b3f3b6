"""What networks and jurisdictions ask of reminders and contacts: data with their sources, each from a date.

`compliance.yaml` has the windows of renewal reminders, `compliance_contacts.yaml` hours, frequency and
consent. The rules about retries are a part of the policy (`retries`), for the domain decides by them.
"""

from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from streams.dunning.compliance_scope import Compliance, Interval, Occasion, ReminderWindow
from streams.dunning.events import Channel
from streams.dunning.policy import Reminder
from streams.dunning.values import LocalTime
from streams.policy.strict_yaml import parse

ALL_INTERVALS: tuple[Interval, ...] = get_args(Interval)
Confidence = Literal["primary", "secondary"]


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One demand of an authority, in force from `effective_from` up to `effective_until`, excluded.

    `applies_to` is a network (`visa`) or a jurisdiction (ISO 3166: `US-CA`, `FR`), as a policy names it in
    `compliance`. `section` is where the rule stands, `source` where that was learnt; `confidence` is primary
    if the rule's own text was read.
    """

    id: str
    applies_to: str
    authority: str
    effective_from: date
    effective_until: date | None = None
    what: str
    section: str
    source: str
    confidence: Confidence

    def in_force(self, on: date | None) -> bool:
        """Whether the rule holds on a date; without a date, whether it ever does."""
        if on is None:
            return True
        return self.effective_from <= on and (self.effective_until is None or on < self.effective_until)

    def binds(self, compliance: Compliance) -> bool:
        """Whether a policy has to meet it."""
        return self.applies_to in compliance.networks or self.applies_to in compliance.jurisdictions


class ComplianceWindow(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """On this occasion, a reminder so many calendar days before the renewal, by one of these channels.

    `intervals` are the terms that it is about (empty: all), `trial_longer_than_days` the trials.
    """

    occasion: Occasion
    at_least_days: Annotated[int, Meta(ge=0)]
    at_most_days: Annotated[int, Meta(ge=0)] | None = None
    intervals: tuple[Interval, ...] = ()
    trial_longer_than_days: int | None = None
    channels: tuple[Channel, ...]

    def is_about(self, occasion: Occasion, interval: Interval) -> bool:
        """Whether it is about this occasion for a term of this length."""
        return self.occasion == occasion and (not self.intervals or interval in self.intervals)

    def is_met_by(self, reminder: Reminder, preferable: tuple[Channel, ...]) -> bool:
        """Whether this reminder goes to everybody, lies in the window, and goes by a channel that counts.

        `preferable` are the channels that a customer's preference may put in the place of the first.
        """
        if reminder.segments or reminder.minimum_amount:
            return False
        late_enough = self.at_most_days is None or reminder.days_before <= self.at_most_days
        channels = reminder.channels
        if reminder.follow_preference and any(channel not in self.channels for channel in preferable):
            channels = channels[1:]
        counts = any(channel in self.channels for channel in channels)
        return self.at_least_days <= reminder.days_before and late_enough and counts

    def for_deciding(self) -> ReminderWindow:
        """What of it a decision looks at."""
        return ReminderWindow(
            applies_to=self.applies_to,
            occasion=self.occasion,
            at_least_days=self.at_least_days,
            at_most_days=self.at_most_days,
            intervals=self.intervals,
            trial_longer_than_days=self.trial_longer_than_days,
            channels=self.channels,
            effective_from=self.effective_from,
            effective_until=self.effective_until,
        )

    def days_in_words(self) -> str:
        """The days that satisfy it: `7 to 30 days before`."""
        return days_in_words(self.at_least_days, self.at_most_days)


class ContactRule(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When, how often, or with whose consent a customer may be contacted.

    `about` says which messages it is a law for. For others, those of a creditor about its own claim among
    them, it is a courtesy.
    """

    kind: Literal["hours", "frequency", "consent"]
    about: Literal["solicitation", "debt_collection", "marketing", "every_message"]
    channels: tuple[Channel, ...]
    opens: LocalTime | None = None
    closes: LocalTime | None = None
    closed_on: tuple[str, ...] = ()
    most: int | None = None
    within: timedelta | None = None


class CommonWindow(Struct, frozen=True):
    """The days before a renewal that satisfy several windows at once, and the channels that count in all."""

    windows: tuple[ComplianceWindow, ...]
    at_least_days: int
    at_most_days: int | None
    channels: tuple[Channel, ...]

    def days_in_words(self) -> str:
        """The days: `exactly 7 days before`."""
        return days_in_words(self.at_least_days, self.at_most_days)


def days_in_words(at_least: int, at_most: int | None) -> str:
    """A span of days before a renewal."""
    if at_most is None:
        return f"{at_least} days before or earlier"
    if at_least == at_most:
        return f"exactly {at_least} days before"
    return f"{at_least} to {at_most} days before"


def common_windows(windows: tuple[ComplianceWindow, ...]) -> tuple[CommonWindow, ...]:
    """The fewest common windows that together satisfy all: one, or several where the rules contradict.

    The window that closes first (of days before: the one with the smallest upper bound) is met at its very
    bound together with all that are open there; what is left over needs another reminder.
    """
    left = sorted(windows, key=lambda each: (_bound(each.at_most_days), each.at_least_days, each.id))
    found: list[CommonWindow] = []
    while left:
        together: list[ComplianceWindow] = []
        channels = set(left[0].channels)
        bound = _bound(left[0].at_most_days)
        for window in left:
            if window.at_least_days <= bound and channels & set(window.channels):
                together.append(window)
                channels &= set(window.channels)
        found.append(
            CommonWindow(
                windows=tuple(window for window in windows if window in together),
                at_least_days=max(each.at_least_days for each in together),
                at_most_days=left[0].at_most_days,
                channels=tuple(channel for channel in Channel if channel in channels),
            )
        )
        left = [window for window in left if window not in together]
    return tuple(found)


def _bound(at_most_days: int | None) -> float:
    return float("inf") if at_most_days is None else at_most_days


@cache
def compliance_windows() -> tuple[ComplianceWindow, ...]:
    """Every window of reminders that is known, in the order of the file."""
    return msgspec.convert(_read("compliance.yaml")["windows"], tuple[ComplianceWindow, ...])


def with_windows(compliance: Compliance) -> Compliance:
    """The names, with the windows of reminders that they stand for."""
    binding = tuple(each.for_deciding() for each in compliance_windows() if each.binds(compliance))
    return msgspec.structs.replace(compliance, windows=binding)


@cache
def contact_rules() -> tuple[ContactRule, ...]:
    """Every rule about hours, frequency and consent that is known, in the order of the file."""
    return msgspec.convert(_read("compliance_contacts.yaml")["rules"], tuple[ContactRule, ...])


def _read(name: str) -> Any:
    text = (resources.files("streams.policy") / name).read_text(encoding="utf-8")
    document, _ = parse(text, name)
    return document
