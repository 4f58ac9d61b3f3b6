"""Whether a policy's reminders and hours meet the rules of the networks and jurisdictions that it names."""

from collections.abc import Iterator
from datetime import date

from streams.dunning.compliance_scope import Interval
from streams.dunning.policy import Policy, Reminder
from streams.dunning.window_settings import Window
from streams.policy.compliance import (
    ALL_INTERVALS,
    CommonWindow,
    ComplianceWindow,
    ContactRule,
    common_windows,
    compliance_windows,
    contact_rules,
)
from streams.policy.errors import Problem

_BINDS = {
    "solicitation": "the law binds solicitations",
    "debt_collection": "the law binds who collects for others",
}


def compliance_problems(policy: Policy, on: date | None = None) -> Iterator[Problem]:
    """One problem for each window in force that the renewal reminders do not meet, and for unknown names."""
    yield from _names(policy)
    for window in _binding(policy, on):
        missed = _missed(window, policy)
        if missed:
            yield Problem(
                "renewals.reminders",
                f"cannot meet {window.authority}'s window `{window.id}` for terms of a {', '.join(missed)}: "
                f"{window.what}",
                _remedy(window, missed, policy, on),
            )


def compliance_warnings(policy: Policy, on: date | None = None) -> Iterator[Problem]:
    """Hours that are wider than those of a place that the policy names."""
    for rule in contact_rules():
        if rule.kind == "hours" and rule.in_force(on) and rule.binds(policy.compliance):
            yield from _hours(rule, policy)


def _binding(policy: Policy, on: date | None) -> tuple[ComplianceWindow, ...]:
    return tuple(each for each in compliance_windows() if each.in_force(on) and each.binds(policy.compliance))


def _reminders(policy: Policy, interval: Interval) -> Iterator[Reminder]:
    for reminder in policy.renewals.reminders:
        if not reminder.intervals or interval in reminder.intervals:
            yield reminder


def _missed(window: ComplianceWindow, policy: Policy) -> list[Interval]:
    """The terms that the window is about and for which no reminder lies in it."""
    return [
        interval
        for interval in window.intervals or ALL_INTERVALS
        if not any(
            window.is_met_by(reminder, policy.preferable_channels)
            for reminder in _reminders(policy, interval)
        )
    ]


def _remedy(window: ComplianceWindow, missed: list[Interval], policy: Policy, on: date | None) -> str:
    """The reminder that would meet this window and as many others of its occasion as can be met at once."""
    alike = tuple(
        each for each in _binding(policy, on) if any(each.is_about(window.occasion, term) for term in missed)
    )
    groups = common_windows(alike)
    mine = next(group for group in groups if window in group.windows)
    others = [each.authority for each in mine.windows if each.authority != window.authority]
    also = f", which meets {_listed(others)} as well" if others else ""
    hint = f"add a reminder {mine.days_in_words()}, by one of {_channels(mine)}{also}"
    if len(groups) > 1:
        hint += f"; no one reminder meets all, for {_contradiction(groups)}"
    return hint


def _contradiction(groups: tuple[CommonWindow, ...]) -> str:
    """Which rules leave no day in common."""
    sides = [
        f"{_listed([f'`{each.id}`' for each in group.windows])} ({group.days_in_words()})" for group in groups
    ]
    return f"{_listed(sides)} contradict each other"


def _listed(names: list[str]) -> str:
    unique = list(dict.fromkeys(names))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} and {unique[-1]}"


def _channels(group: CommonWindow) -> str:
    return ", ".join(channel.value for channel in group.channels)


def _names(policy: Policy) -> Iterator[Problem]:
    """A name that no rule knows is a mistyped one, or one that would promise what nobody has looked up."""
    known = {rule.applies_to for rule in (*compliance_windows(), *contact_rules())}
    networks = {rule.network for rule in policy.retries.values()} | {name for name in known if name.islower()}
    places = {name for name in known if not name.islower()}
    compliance = policy.compliance
    for room, names, allowed in (
        ("networks", compliance.networks, networks),
        ("jurisdictions", compliance.jurisdictions, places),
    ):
        for index, name in enumerate(names):
            if name not in allowed:
                hint = f"known: {', '.join(sorted(allowed))}"
                yield Problem(f"compliance.{room}[{index}]", f"no rule is known of `{name}`", hint)


def _hours(rule: ContactRule, policy: Policy) -> Iterator[Problem]:
    country, _, region = rule.applies_to.partition("-")
    for channel in rule.channels:
        window = policy.windows.get(channel)
        opens, closes = _open(window, country, region)
        # A national rule says nothing of the hours of a state that has a stricter one.
        early = rule.opens is not None and opens < rule.opens
        late = rule.closes is not None and closes > rule.closes
        if early or late:
            yield Problem(
                f"windows.{channel.value}",
                f"is open {opens} to {closes} in {rule.applies_to}, and {rule.section} has {rule.opens} to "
                f"{rule.closes}; {_BINDS.get(rule.about, 'it is a law for every message')}",
                f"add an exception for {rule.applies_to}, if it is meant to be kept",
            )


def _open(window: Window | None, country: str, region: str) -> tuple[str, str]:
    """The hours of a place, as `streams.dunning.calendar` finds them for a customer there."""
    if window is None:
        return "00:00", "24:00"
    opens, closes = window.opens, window.closes
    for exception in sorted(window.exceptions, key=lambda each: each.region is not None):
        if exception.country == country and exception.region in {None, region or None}:
            opens, closes = exception.opens or opens, exception.closes or closes
    return opens, closes
