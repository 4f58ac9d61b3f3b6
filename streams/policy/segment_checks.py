"""Whether a policy's segments, risk and history mean what their author wants."""

from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from babel import Locale
from babel.numbers import is_currency

from streams.dunning.audience import Condition, Segment
from streams.dunning.policy import Policy
from streams.policy.errors import Problem

_AT_LEAST = ("tenure_at_least", "no_case_for", "cases_at_least", "risk_at_least")
_LESS_THAN = ("tenure_less_than", "risk_less_than")
_ONE_OF = ("tags", "countries")
_TERRITORIES = Locale("en").territories


def segment_problems(policy: Policy) -> Iterator[Problem]:
    """Everything that is wrong with the segments, and with what names them."""
    for index, segment in enumerate(policy.segments):
        here = f"segments[{index}]"
        yield from _names(here, segment, policy)
        yield from condition_problems(f"{here}.when", segment.when, policy)
        yield from _reachable(here, segment, policy.segments[:index])
    known = [segment.name for segment in policy.segments]
    for room, reminders in (("cards", policy.cards.reminders), ("renewals", policy.renewals.reminders)):
        for index, reminder in enumerate(reminders):
            here = f"{room}.reminders[{index}]"
            for place, name in enumerate(reminder.segments):
                if name not in known:
                    yield unknown(f"{here}.segments[{place}]", "segment", name, known)
            yield from _currencies(f"{here}.minimum_amount", reminder.minimum_amount)
    if policy.history.halved_every <= timedelta(0):
        yield Problem("history.halved_every", "is not positive", "a duration like P180D")


def segment_warnings(policy: Policy) -> Iterator[Problem]:
    """What is allowed, and probably not meant."""
    if policy.segments and policy.segments[-1].when != Condition():
        yield Problem(
            f"segments[{len(policy.segments) - 1}]",
            "takes not everybody: whom no segment takes gets `default_campaign` and `default_tone`",
            "end with a segment without `when`",
        )
    chosen = {policy.default_campaign, *(segment.campaign for segment in policy.segments)}
    chosen.update(arm.campaign for arm in policy.arms.values())
    for name in policy.campaigns:
        if name not in chosen:
            yield Problem(f"campaigns.{name}", "is chosen by no segment", "remove it, or name it in one")


def _names(here: str, segment: Segment, policy: Policy) -> Iterator[Problem]:
    first = next(each for each in policy.segments if each.name == segment.name)
    if first is not segment:
        yield Problem(f"{here}.name", f"`{segment.name}` stands twice", "names are unique")
    if segment.campaign is not None and segment.campaign not in policy.campaigns:
        yield unknown(f"{here}.campaign", "campaign", segment.campaign, list(policy.campaigns))


def condition_problems(path: str, when: Condition, policy: Policy) -> Iterator[Problem]:
    """What is wrong with a condition, whatever it chooses."""
    for name in ("tenure_at_least", "tenure_less_than", "no_case_for"):
        value = getattr(when, name)
        if value is not None and value <= timedelta(0):
            yield Problem(f"{path}.{name}", "is not positive", "a duration like P90D")
    for kind in ("tenure", "risk"):
        least, less = getattr(when, f"{kind}_at_least"), getattr(when, f"{kind}_less_than")
        if least is not None and less is not None and least >= less:
            yield Problem(path, f"takes nobody: `{kind}_at_least` is not below `{kind}_less_than`")
    most = policy.history.most
    if when.cases_at_least is not None and when.cases_at_least > most:
        yield Problem(f"{path}.cases_at_least", f"takes nobody: `history.most` counts up to {most}")
    for index, tag in enumerate(when.tags):
        if len(tag) > policy.memory.tag_characters:
            yield Problem(
                f"{path}.tags[{index}]", "is longer than any tag that is kept", "see `memory.tag_characters`"
            )
    for index, country in enumerate(when.countries):
        if country not in _TERRITORIES:
            yield Problem(
                f"{path}.countries[{index}]", f"`{country}` is not a country", "ISO 3166-1, like US"
            )
    yield from _currencies(f"{path}.value_at_least", when.value_at_least)


def _reachable(here: str, segment: Segment, earlier: tuple[Segment, ...]) -> Iterator[Problem]:
    taker = next((each for each in earlier if _includes(each.when, segment.when)), None)
    if taker is not None:
        yield Problem(
            here,
            f"`{segment.name}` takes nobody: `{taker.name}` before it takes all whom it would",
            "put the narrower rule first",
        )


def _includes(wide: Condition, narrow: Condition) -> bool:
    """Whether all whom `narrow` takes are taken by `wide`."""

    def both(name: str) -> tuple[Any, Any]:
        return getattr(wide, name), getattr(narrow, name)

    for name in _AT_LEAST:
        limit, own = both(name)
        if limit is not None and (own is None or own < limit):
            return False
    for name in _LESS_THAN:
        limit, own = both(name)
        if limit is not None and (own is None or own > limit):
            return False
    for name in _ONE_OF:
        some, own = both(name)
        if some and not (own and set(own) <= set(some)):
            return False
    values, own_values = both("value_at_least")
    return not values or bool(
        own_values
        and all(currency in values and own >= values[currency] for currency, own in own_values.items())
    )


def _currencies(path: str, amounts: dict[str, int]) -> Iterator[Problem]:
    for currency in amounts:
        if not is_currency(currency):
            yield Problem(f"{path}.{currency}", "is not a currency", "ISO 4217, like USD")


def unknown(path: str, what: str, name: str, known: list[str]) -> Problem:
    """A name that stands for nothing."""
    close = get_close_matches(name, known, n=1)
    return Problem(path, f"there is no {what} `{name}`", f"did you mean `{close[0]}`?" if close else "")
