"""The page of rules (`docs/compliance.md`), written from the data that the checks and the domain read."""

from collections.abc import Iterator
from datetime import date, timedelta

from streams.dunning.compliance_scope import Compliance, Interval, Occasion
from streams.dunning.retry_rules import RetryRule
from streams.policy.compliance import (
    ALL_INTERVALS,
    ComplianceWindow,
    ContactRule,
    common_windows,
    compliance_windows,
    contact_rules,
)
from streams.policy.loading import load
from streams.policy.markdown import table

_INTRODUCTION = """\
# Compliance

<!-- Generated from the data by `streams.policy.compliance_reference`. Do not edit. -->

What card networks and jurisdictions ask of reminders, retries and contacts, as far as this project knows:
data, each rule with its source and its dates. `confidence` says whether the rule's own text was read
(primary) or what others tell of it (secondary). None of this is legal advice, and the list is not complete.

A policy names the networks and jurisdictions that it has to meet, and is held to their rules:

```yaml
compliance:
  networks: [visa, mastercard]
  jurisdictions: [US, US-CA, US-FL]       # the default: name every place where customers are billed
```
"""

_REMINDERS = """\
## Windows of reminders

`dunning policy check` refuses a policy whose renewal reminders miss a window of what it names, and says which
reminder would meet it. What it does not name is not looked at. Rules count whenever they begin, so that a
policy that is sound today is sound tomorrow. Days are calendar days before the renewal, in the customer's
zone: the day of the reminder is not counted, that of the renewal is. A reminder of 7 days goes out at the
contact hour of the seventh day before. A reminder for some segments or amounts only meets no window, nor
does one whose channel the customer's preference may change to one that does not count.

The budget of contacts may defer such a reminder within its window and not beyond: on the last day it goes out
whatever the budget (outcome `sent`, reason `required_reminder`). A jurisdiction's windows count for customers
there, and for those of whom it is not known where they are; a network's for everybody. It is late only where
no channel that counts reaches the customer, where we hear of the renewal too late, or where no worker ran;
the decision then says so.
"""

_COMMON = """\
### One reminder for all

What satisfies the windows of an occasion at once. Where rules contradict each other, no one reminder can, and
each row of the occasion is a reminder that is needed. A term is as billing names it (`interval`); half-yearly
terms have no name there, and are to be sent as `year`, whose windows contain Mastercard's for six months.
"""

_RETRIES = """\
## Retries

The engine retries no payment. By these rules, which are a part of the policy (`retries`), no message promises
a retry that the network forbids: the decline then reads as one that needs another card, and a date before the
end of a wait is not told. And where billing has tried, or announces that it will try (`next_retry_at`),
beyond a rule, the decision warns: outcome `warned`, reason `retry_forbidden` or `retry_budget_exceeded`, with
`until` when it is allowed again. Attempts are counted for each invoice and card, up to `memory.retries`;
another card, or new details of it, starts afresh, and what the customer tries is counted and not warned of.
The windows are rolling ones, the stricter reading where a network counts calendar days. A rule holds for the
attempts made while it is in force.
"""

_CONTACTS = """\
## Hours, frequency and consent

`about` says for which messages a rule is a law. A creditor's message about its own claim is neither a
solicitation nor debt collection for others: for it the hours are a **courtesy**. The shipped policy keeps the
federal hours and Florida's for all that rings or buzzes, makes no calls on Sundays (a courtesy), and counts
every contact, calls on their own. A policy whose hours are wider than those of a place that it names gets a
warning; more than seven calls in seven days are refused.
"""


def render() -> str:
    """The text of `docs/compliance.md`."""
    lines = [_INTRODUCTION, _REMINDERS, *_windows(), _COMMON, *_common(), _RETRIES, *_retries()]
    lines += [_CONTACTS, *_contacts()]
    return "\n".join(lines).rstrip("\n") + "\n"


def _windows() -> Iterator[str]:
    yield from table(
        ("window", "applies to", "what", "days", "in force", "section", "confidence", "source"),
        (
            (
                f"`{each.id}`",
                f"`{each.applies_to}`",
                each.what,
                each.days_in_words(),
                _in_force(each.effective_from, each.effective_until),
                each.section,
                each.confidence,
                each.source,
            )
            for each in compliance_windows()
        ),
    )


def _common() -> Iterator[str]:
    everything = compliance_windows()
    default = tuple(each for each in everything if each.binds(Compliance()))
    for title, windows in (("By default", default), ("With everything that is known", everything)):
        yield f"**{title}**\n"
        yield from table(("occasion", "a reminder", "meets"), _common_rows(windows))


def _common_rows(windows: tuple[ComplianceWindow, ...]) -> Iterator[tuple[str, ...]]:
    for occasion, intervals, name in _occasions():
        about = tuple(
            each for each in windows if any(each.is_about(occasion, interval) for interval in intervals)
        )
        groups = common_windows(about)
        if not groups:
            yield name, "none is asked for", ""
        for group in groups:
            again = f"{name} ({len(groups)} are needed: the rules contradict)" if len(groups) > 1 else name
            yield again, group.days_in_words(), ", ".join(f"`{each.id}`" for each in group.windows)


def _occasions() -> Iterator[tuple[Occasion, tuple[Interval, ...], str]]:
    yield "trial_end", ALL_INTERVALS, "a trial or an introductory price ends"
    yield "price_change", ALL_INTERVALS, "the price changes"
    yield "renewal", ("year",), "a yearly term renews"
    yield "renewal", ("quarter",), "a quarterly term renews"
    yield "renewal", ("day", "week", "month"), "a term of a month or less renews"


def _retries() -> Iterator[str]:
    yield from table(
        ("rule", "network", "what", "demand", "in force", "confidence", "source"),
        (
            (
                f"`{name}`",
                rule.network,
                rule.what,
                _demand(rule),
                _in_force(rule.effective_from, rule.effective_until),
                rule.confidence,
                rule.source,
            )
            for name, rule in load("care").policy.retries.items()
        ),
    )


def _demand(rule: RetryRule) -> str:
    declines = ", ".join(
        f"`{code}`" for code in (*rule.codes, *(f"advice {each}" for each in rule.advice_codes))
    )
    if rule.demand == "never":
        return f"never after {declines}"
    if rule.demand == "wait" and rule.wait is not None:
        return f"not within {_span(rule.wait)} after {declines}"
    assert rule.within is not None, "a budget has a span, or the policy would have been refused"
    return f"at most {rule.most} {rule.counts} within {_span(rule.within)}"


def _contacts() -> Iterator[str]:
    yield from table(
        (
            "rule",
            "applies to",
            "a law for",
            "channels",
            "what",
            "in force",
            "section",
            "confidence",
            "source",
        ),
        (
            (
                f"`{each.id}`",
                f"`{each.applies_to}`",
                each.about.replace("_", " "),
                ", ".join(each.channels),
                _said(each),
                _in_force(each.effective_from, each.effective_until),
                each.section,
                each.confidence,
                each.source,
            )
            for each in contact_rules()
        ),
    )


def _said(rule: ContactRule) -> str:
    if rule.opens is None:
        return rule.what
    return f"{rule.what} ({rule.opens} to {rule.closes})"


def _span(span: timedelta) -> str:
    hours = int(span / timedelta(hours=1))
    if hours % 24:
        return f"{hours} hour{'' if hours == 1 else 's'}"
    return f"{hours // 24} day{'' if hours == 24 else 's'}"


def _in_force(start: date, end: date | None) -> str:
    return f"from {start}" + (f" to {end}, excluded" if end else "")
