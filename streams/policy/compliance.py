"""Whether a policy's renewal reminders meet what networks and jurisdictions ask for.

The windows are data with their sources (`compliance.yaml`), each in force from a date. Without a date all
that are known count, so that loading a policy gives the same answer on every day.
"""

from collections.abc import Iterator
from datetime import date
from functools import cache
from importlib import resources
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from streams.dunning.events import Channel
from streams.dunning.policy import Policy, Reminder
from streams.policy.errors import Problem
from streams.policy.strict_yaml import parse

Interval = Literal["day", "week", "month", "quarter", "year"]
ALL_INTERVALS: tuple[Interval, ...] = ("day", "week", "month", "quarter", "year")


class ComplianceWindow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule: on this occasion, a reminder so many calendar days before the renewal.

    `intervals` are the terms that it is about (empty: all), `trial_longer_than_days` the trials. `channels`
    are those by which the reminder counts. It holds from `effective_from` up to `effective_until`, excluded.
    """

    id: str
    authority: str
    occasion: Literal["renewal", "trial_end", "price_change"]
    at_least_days: Annotated[int, Meta(ge=0)]
    at_most_days: Annotated[int, Meta(ge=0)] | None = None
    intervals: tuple[Interval, ...] = ()
    trial_longer_than_days: int | None = None
    channels: tuple[Channel, ...]
    effective_from: date
    effective_until: date | None = None
    what: str
    source: str
    confidence: Literal["primary", "secondary"]

    def in_force(self, on: date | None) -> bool:
        """Whether the rule holds on a date; without a date, whether it ever does."""
        if on is None:
            return True
        return self.effective_from <= on and (self.effective_until is None or on < self.effective_until)

    def is_met_by(self, reminder: Reminder) -> bool:
        """Whether this reminder lies in the window and goes by a channel that counts."""
        latest_enough = self.at_most_days is None or reminder.days_before <= self.at_most_days
        electronic = any(channel in self.channels for channel in reminder.channels)
        return self.at_least_days <= reminder.days_before and latest_enough and electronic

    def days_in_words(self) -> str:
        """The days that satisfy it: `7 to 30 days before`."""
        if self.at_most_days is None:
            return f"{self.at_least_days} days before or earlier"
        return f"{self.at_least_days} to {self.at_most_days} days before"


@cache
def compliance_windows() -> tuple[ComplianceWindow, ...]:
    """Every rule that is known, in the order of the file."""
    text = (resources.files("streams.policy") / "compliance.yaml").read_text(encoding="utf-8")
    document, _ = parse(text, "compliance.yaml")
    return msgspec.convert(document["windows"], tuple[ComplianceWindow, ...])


def compliance_problems(policy: Policy, on: date | None = None) -> Iterator[Problem]:
    """One problem for each rule in force that the renewal reminders cannot meet, naming the terms."""
    for window in compliance_windows():
        if not window.in_force(on):
            continue
        missed = [
            interval
            for interval in window.intervals or ALL_INTERVALS
            if not any(
                window.is_met_by(reminder)
                for reminder in policy.renewals.reminders
                if reminder.is_for_everyone and (not reminder.intervals or interval in reminder.intervals)
            )
        ]
        if missed:
            channels = ", ".join(channel.value for channel in window.channels)
            yield Problem(
                "renewals.reminders",
                f"cannot meet {window.authority}'s window `{window.id}` for terms of a {', '.join(missed)}: "
                f"{window.what}",
                f"add a reminder {window.days_in_words()}, by one of {channels}",
            )
