"""What a policy must hold beyond its schema, so that it means what its author wants. All is told at once."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from babel import Locale
from babel.numbers import is_currency

from streams.dunning.declines import UNTOLD
from streams.dunning.events import Channel
from streams.dunning.policy import Campaign, Policy, Priority, Reminder
from streams.dunning.reply_words import ReplyWords, plain
from streams.dunning.window_settings import Window
from streams.policy.content_links import link_problems
from streams.policy.errors import Problem
from streams.policy.experiment_checks import experiment_problems
from streams.policy.formats import parse_locale
from streams.policy.segment_checks import segment_problems, segment_warnings

SHORTEST_SENSIBLE_LADDER = 14
"""Days. Many soft declines recover within two weeks: suspending before loses payers. A warning only."""

MOST_CALLS_PER_SEVEN_DAYS = 7
"""12 CFR 1006.14(b)(2) (Regulation F): more calls in seven days are presumed to be harassment."""

_MAY_BE_ZERO = frozenset(
    {
        "hold_after_card_update",
        "hold_after_promise",
        "hold_after_reply",
        "recent_response",
        "late_arrival_grace",
        "bring_call_forward.after",
    }
)
_TERRITORIES = Locale("en").territories


def policy_problems(policy: Policy) -> Iterator[Problem]:
    """Everything that is wrong with the policy's settings, without its content."""
    yield from _campaigns(policy)
    yield from segment_problems(policy)
    yield from experiment_problems(policy)
    yield from _identifiers(policy)
    yield from _reminders("cards", policy.cards.reminders)
    yield from _reminders("renewals", policy.renewals.reminders)
    yield from _durations(policy)
    yield from _zones(policy)
    yield from _windows(policy)
    yield from _channels(policy)
    yield from _limits(policy)
    yield from _reply_words(policy.reply_words)
    yield from link_problems(policy.links)
    for currency in policy.minimum_amount:
        if not is_currency(currency):
            yield Problem(f"minimum_amount.{currency}", "is not a currency", "ISO 4217, like USD")
    if parse_locale(policy.default_locale) is None:
        yield Problem(
            "default_locale", f"`{policy.default_locale}` is not a locale", "BCP 47, like en or de-AT"
        )
    yield from _codes("declines", policy.declines)
    yield from _codes("told_reasons", policy.told_reasons)
    yield from _untold(policy)


def policy_warnings(policy: Policy) -> Iterator[Problem]:
    """What is allowed, and probably not meant."""
    yield from segment_warnings(policy)
    for name, campaign in policy.campaigns.items():
        for index, step in enumerate(campaign.ladder):
            if step.action == "suspend" and step.day < SHORTEST_SENSIBLE_LADDER:
                yield Problem(
                    f"campaigns.{name}.ladder[{index}].day",
                    f"suspends after {step.day} days, while many payments recover by themselves in "
                    f"{SHORTEST_SENSIBLE_LADDER}",
                )


def _codes(name: str, tables: Mapping[str, Mapping[str, object]]) -> Iterator[Problem]:
    for table, codes in tables.items():
        for code in codes:
            wanted = code.lower() if table == "vendor" else code.upper()
            if code != wanted:
                hint = f"the table is looked up with `{wanted}`"
                yield Problem(f"{name}.{table}.{code}", "would never be found", hint)


def _untold(policy: Policy) -> Iterator[Problem]:
    """Of what is never told there may be no words, even though nothing would say them."""
    for table, codes in policy.told_reasons.items():
        for code in codes:
            decline_class = policy.declines.get(table, {}).get(code, policy.default_decline_class)
            if decline_class in UNTOLD:
                message = f"is of the class `{decline_class.value}`, whose reason is never told"
                yield Problem(f"told_reasons.{table}.{code}", message, "remove it")


def _campaigns(policy: Policy) -> Iterator[Problem]:
    if policy.default_campaign not in policy.campaigns:
        yield Problem(
            "default_campaign",
            f"there is no campaign `{policy.default_campaign}`",
            _nearest(policy.default_campaign, policy.campaigns),
        )
    for name, campaign in policy.campaigns.items():
        path = f"campaigns.{name}.ladder"
        yield from _steps(path, campaign)
        yield from _first_step(path, campaign, policy)
        yield from _suspension(path, campaign, policy)


def _steps(path: str, campaign: Campaign) -> Iterator[Problem]:
    previous_day = 0
    for index, step in enumerate(campaign.ladder):
        here = f"{path}[{index}]"
        if step.day < previous_day:
            yield Problem(
                f"{here}.day", f"day {step.day} comes after day {previous_day}", "order the ladder by day"
            )
        previous_day = max(previous_day, step.day)
        if step.action == "suspend":
            if step.template is not None:
                yield Problem(f"{here}.template", "a suspension sends no message", "remove the template")
            if step.channels:
                yield Problem(f"{here}.channels", "a suspension uses no channel", "remove the channels")
            continue
        if step.template is None:
            yield Problem(f"{here}.template", "is missing", "name the message that this step sends")
        if not step.channels:
            yield Problem(f"{here}.channels", "is empty", "name the channel that this step uses")
        yield from _no_repeats(f"{here}.channels", step.channels)


def _first_step(path: str, campaign: Campaign, policy: Policy) -> Iterator[Problem]:
    first = campaign.ladder[0]
    if first.day != 0:
        yield Problem(f"{path}[0].day", f"is {first.day}, and the first contact is at once", "set it to 0")
    if first.action != "notify":
        yield Problem(f"{path}[0].action", f"is {first.action}", "the first step notifies")
    if first.channels and first.channels[0] in policy.windows:
        any_hour = [channel.value for channel in policy.channel_order if channel not in policy.windows]
        yield Problem(
            f"{path}[0].channels[0]",
            f"{first.channels[0].value} has hours (`windows`), and the first contact is at once",
            f"use a channel for any hour: {', '.join(any_hour)}" if any_hour else "",
        )


def _suspension(path: str, campaign: Campaign, policy: Policy) -> Iterator[Problem]:
    suspends = [(index, step) for index, step in enumerate(campaign.ladder) if step.action == "suspend"]
    for index, step in suspends[1:]:
        yield Problem(f"{path}[{index}]", f"`{step.id}` is a second suspension", "keep one")
    for index, step in suspends[:1]:
        notices = [earlier for earlier in campaign.ladder[:index] if earlier.action == "final_notice"]
        if not notices:
            hint = "add a step with `action: final_notice` before it"
            yield Problem(f"{path}[{index}]", "suspends without a final notice", hint)
            continue
        notice = policy.suspension.notice
        between = timedelta(days=step.day - max(earlier.day for earlier in notices))
        if timedelta(0) <= between < notice:
            yield Problem(
                f"{path}[{index}].day",
                f"is {between.days} days after the final notice, and `suspension.notice` asks for "
                f"{notice / timedelta(days=1):g}",
                "move the suspension later, or the notice earlier",
            )


def _identifiers(policy: Policy) -> Iterator[Problem]:
    """One space of ids for steps and reminders: a command's id is made of it."""
    places = [
        (step.id, f"campaigns.{name}.ladder[{index}].id")
        for name, campaign in policy.campaigns.items()
        for index, step in enumerate(campaign.ladder)
    ]
    for room, reminders in (("cards", policy.cards.reminders), ("renewals", policy.renewals.reminders)):
        places += [(reminder.id, f"{room}.reminders[{index}].id") for index, reminder in enumerate(reminders)]
    first: dict[str, str] = {}
    for identifier, path in places:
        if identifier in first:
            yield Problem(
                path, f"`{identifier}` is taken by {first[identifier]}", "ids are unique in a policy"
            )
        first.setdefault(identifier, path)


def _reminders(room: str, reminders: tuple[Reminder, ...]) -> Iterator[Problem]:
    previous = None
    for index, reminder in enumerate(reminders):
        here = f"{room}.reminders[{index}]"
        if previous is not None and reminder.days_before > previous:
            yield Problem(
                f"{here}.days_before",
                f"{reminder.days_before} days before comes ahead of {previous} days before",
                "order the reminders from the earliest to the last",
            )
        previous = reminder.days_before
        yield from _no_repeats(f"{here}.channels", reminder.channels)


def _durations(policy: Policy) -> Iterator[Problem]:
    durations = {
        name: value
        for name in policy.__struct_fields__
        if isinstance(value := getattr(policy, name), timedelta)
    }
    durations["bring_call_forward.after"] = policy.bring_call_forward.after
    durations["suspension.notice"] = policy.suspension.notice
    durations["suspension.notice_valid_for"] = policy.suspension.notice_valid_for
    for path, value in durations.items():
        if value < timedelta(0) or (value == timedelta(0) and path not in _MAY_BE_ZERO):
            yield Problem(path, "is not positive", "a duration like P3D")
    for channel, assumed in policy.assume_delivered_after.items():
        if assumed is not None and assumed < timedelta(0):
            yield Problem(f"assume_delivered_after.{channel.value}", "is negative", "a duration, or `never`")
    if policy.suspension.notice_valid_for < policy.suspension.notice:
        yield Problem(
            "suspension.notice_valid_for",
            "is shorter than `suspension.notice`: no notice would ever be old enough and still valid",
        )
    if policy.promise_without_date > policy.longest_promise:
        yield Problem("promise_without_date", "is longer than `longest_promise`")


def _zones(policy: Policy) -> Iterator[Problem]:
    known: dict[str, bool] = {}
    for path, zone in [
        ("default_zone", policy.default_zone),
        *((f"zones.{country}", zone) for country, zone in policy.zones.items()),
    ]:
        if not known.setdefault(zone, _is_zone(zone)):
            yield Problem(path, f"`{zone}` is not an IANA time zone", _nearest(zone, available_timezones()))
    for country in policy.zones:
        if country not in _TERRITORIES:
            yield Problem(f"zones.{country}", "is not a country", "ISO 3166-1, like US")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _windows(policy: Policy) -> Iterator[Problem]:
    windows = {f"windows.{channel.value}": window for channel, window in policy.windows.items()}
    for path, window in (windows | {"marketing.window": policy.marketing.window}).items():
        yield from _hours(path, window.opens, window.closes)
        if len(set(window.closed_on)) == 7:
            yield Problem(f"{path}.closed_on", "closes it for the whole week")
        yield from _window_exceptions(path, window)


def _window_exceptions(path: str, window: Window) -> Iterator[Problem]:
    for index, exception in enumerate(window.exceptions):
        here = f"{path}.exceptions[{index}]"
        if exception.country not in _TERRITORIES:
            yield Problem(f"{here}.country", f"`{exception.country}` is not a country", "ISO 3166-1, like US")
        if exception.opens is None and exception.closes is None:
            yield Problem(here, "changes nothing", "set `opens` or `closes`")
        yield from _hours(here, exception.opens or window.opens, exception.closes or window.closes)


def _hours(path: str, opens: str, closes: str) -> Iterator[Problem]:
    if opens >= closes:
        yield Problem(path, f"opens at {opens} and closes at {closes}", "a window opens before it closes")


def _channels(policy: Policy) -> Iterator[Problem]:
    for channel in Channel:
        if channel not in policy.assume_delivered_after:
            yield Problem(f"assume_delivered_after.{channel.value}", "is missing", "a duration, or `never`")
    if not policy.channel_order:
        yield Problem("channel_order", "is empty", "name the channels that may be used")
    yield from _no_repeats("channel_order", policy.channel_order)
    yield from _no_repeats("preferable_channels", policy.preferable_channels)
    missing = [priority.value for priority in Priority if priority not in policy.priorities]
    if missing:
        yield Problem("priorities", f"lacks {', '.join(missing)}", "name each once")
    yield from _no_repeats("priorities", policy.priorities)


def _reply_words(words: ReplyWords) -> Iterator[Problem]:
    lists = {"opt_out": words.opt_out, "opt_out_of_all": words.opt_out_of_all, "opt_in": words.opt_in}
    meanings: dict[str, str] = {}
    for name, languages in lists.items():
        for language, written in languages.items():
            path = f"reply_words.{name}.{language}"
            if parse_locale(language) is None:
                yield Problem(path, "is not a language that is known", "BCP 47, like en or de")
            for index, word in enumerate(written):
                key = plain(word)
                if not key:
                    yield Problem(f"{path}[{index}]", f"`{word}` has no letter", "a word, like STOP")
                elif meanings.setdefault(key, name) != name:
                    yield Problem(
                        f"{path}[{index}]", f"`{word}` stands in `{meanings[key]}` too", "keep one of them"
                    )


def _no_repeats(path: str, values: tuple[Channel, ...] | tuple[Priority, ...]) -> Iterator[Problem]:
    for index, value in enumerate(values):
        if value in values[:index]:
            yield Problem(f"{path}[{index}]", f"{value.value} stands twice", "name each once")


def _limits(policy: Policy) -> Iterator[Problem]:
    budget, memory, suspension = policy.budget, policy.memory, policy.suspension
    if budget.per_day > budget.per_seven_days:
        yield Problem("budget.per_day", f"is {budget.per_day}, more than `per_seven_days`")
    if budget.calls_per_seven_days > MOST_CALLS_PER_SEVEN_DAYS:
        yield Problem(
            "budget.calls_per_seven_days",
            f"is {budget.calls_per_seven_days}, and the law allows {MOST_CALLS_PER_SEVEN_DAYS}",
            "12 CFR 1006.14(b)(2)",
        )
    if suspension.channels > suspension.contacts:
        yield Problem("suspension.channels", f"{suspension.channels} cannot be had with fewer contacts")
    longest = max(
        sum(max(1, len(step.channels)) for step in campaign.ladder) for campaign in policy.campaigns.values()
    )
    # The gate looks back over a whole ladder, the budget over seven days of anything.
    needed = max(longest, suspension.contacts) + budget.per_seven_days
    if memory.contacts < needed:
        yield Problem(
            "memory.contacts",
            f"is {memory.contacts}, too few to remember one ladder and a week's budget",
            f"at least {needed}",
        )


def _nearest(name: str, known: object) -> str:
    close = get_close_matches(name, list(known) if isinstance(known, dict | set) else [], n=1)
    return f"did you mean `{close[0]}`?" if close else ""
