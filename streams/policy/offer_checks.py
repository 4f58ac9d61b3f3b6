"""Whether a policy's offers mean what their author wants, and whether its texts tell customers of them."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

import msgspec
from babel.numbers import is_currency

from streams.dunning.commands import NotificationCommand
from streams.dunning.offer_settings import Offer, OfferKind
from streams.dunning.offers import variables_of
from streams.dunning.policy import Policy
from streams.dunning.variables import MessageKind
from streams.policy.content import Content
from streams.policy.content_texts import Text
from streams.policy.errors import Problem, RenderError
from streams.policy.samples import samples
from streams.policy.segment_checks import condition_problems, unknown
from streams.policy.usage import uses

A_YEAR = timedelta(days=365)
"""A loyalty offer is for customers of more than a year."""

_UNTIL = date(2026, 9, 23)
_OF_A_PLAN = frozenset({OfferKind.UPGRADE, OfferKind.UPSELL})


def offer_problems(policy: Policy) -> Iterator[Problem]:
    """Everything that is wrong with the offers, and with what names them."""
    for index, segment in enumerate(policy.segments):
        for place, name in enumerate(segment.offers):
            here = f"segments[{index}].offers[{place}]"
            if name not in policy.offers:
                yield unknown(here, "offer", name, list(policy.offers))
            elif name in segment.offers[:place]:
                yield Problem(here, f"`{name}` stands twice", "name it once")
    for name, offer in policy.offers.items():
        here = f"offers.{name}"
        yield from _terms(here, offer)
        yield from _kind(here, offer)
        yield from _eligibility(here, offer, policy)
        yield from _cap(here, offer, policy)
    yield from _memory(policy)
    yield from _marketing(policy)


def offer_warnings(policy: Policy) -> Iterator[Problem]:
    """What is allowed, and probably not meant."""
    named = {name for segment in policy.segments for name in segment.offers}
    named |= {arm.offer for arm in policy.arms.values() if arm.offer is not None}
    for name, offer in policy.offers.items():
        here = f"offers.{name}"
        if not offer.enabled:
            continue
        if name not in named:
            yield Problem(here, "is made to nobody: no segment names it", "name it in `segments[].offers`")
        elif not _reminders(policy, offer):
            yield Problem(
                here, "rides on no reminder: none of `renewals` is for its days, terms and channels"
            )


def offer_text_problems(policy: Policy, content: Content) -> Iterator[Problem]:
    """Texts that cannot be written with an offer that is made, or say nothing of it."""
    # Of an offer that has other problems, the words would be one more.
    flawed = {problem.path.split(".")[1] for problem in offer_problems(policy) if "." in problem.path}
    made = {name: each for name, each in policy.offers.items() if each.enabled and name not in flawed}
    asked = (use for use in uses(policy) if use.kind is MessageKind.RENEWAL_UPCOMING)
    for template, use in {each.template: each for each in asked}.items():
        for locale, templates in content.texts.items():
            for channel, text in templates.get(template, {}).items():
                carried = {name: each for name, each in made.items() if channel in each.channels}
                plain = next(samples(use, channel, locale))
                path = f"content.{locale}.{template}.{channel.value}"
                yield from _told(path, content, plain, carried, text)


def _told(
    path: str, content: Content, plain: NotificationCommand, carried: Mapping[str, Offer], text: Text
) -> Iterator[Problem]:
    silent = []
    for name, offer in carried.items():
        amount = int(plain.variables["amount_minor"])
        words = plain.variables | variables_of(offer, amount, amount // 10, _UNTIL)
        try:
            said, without = (
                content.render_text(msgspec.structs.replace(plain, variables=given), plain.locale, text).body
                for given in (words, plain.variables)
            )
        except RenderError as error:
            yield Problem(path, f"cannot be rendered with the offer `{name}`: {error.reason}")
            return
        if said == without:
            silent.append(name)
    if silent:
        yield Problem(
            path,
            f"says nothing of the offers that it may carry: {', '.join(silent)}",
            "write what is offered where `offer_kind` is given, or change the offers' `channels`",
        )


def _terms(here: str, offer: Offer) -> Iterator[Problem]:
    terms = offer.terms
    given = [
        name for name in ("percent_off", "amount_off", "price_part") if getattr(terms, name) not in (None, {})
    ]
    if len(given) != 1:
        yield Problem(
            f"{here}.terms",
            f"has {' and '.join(given) or 'nothing'}",
            "give one of percent_off, amount_off, price_part",
        )
    for setting, amounts in (
        ("terms.amount_off", terms.amount_off),
        ("minimum_amount", offer.minimum_amount),
        ("budget.money", offer.budget.money),
    ):
        for currency in amounts:
            if not is_currency(currency):
                yield Problem(f"{here}.{setting}.{currency}", "is not a currency", "ISO 4217, like USD")
    if offer.budget.money and terms.price_part is not None:
        yield Problem(
            f"{here}.budget.money",
            "cannot be kept: what `price_part` is worth is not known",
            "limit the number of offers",
        )


def _kind(here: str, offer: Offer) -> Iterator[Problem]:
    """What each kind of offer needs in order to be one."""
    if offer.kind in _OF_A_PLAN and offer.plan_name is None:
        yield Problem(f"{here}.plan_name", "is missing", f"name the plan that an {offer.kind.value} is about")
    if offer.terms.price_part is not None and offer.kind not in _OF_A_PLAN:
        yield Problem(
            f"{here}.terms.price_part", "is for an upgrade or an upsell", "use percent_off or amount_off"
        )
    if offer.kind is OfferKind.LOYALTY and (offer.when.tenure_at_least or timedelta(0)) < A_YEAR:
        yield Problem(
            f"{here}.when.tenure_at_least",
            "is not a year or more, and loyalty is shown by time",
            "set it to P365D or longer",
        )
    if offer.kind is OfferKind.EARLY_RENEWAL and offer.days_before_at_least == 0:
        yield Problem(
            f"{here}.days_before_at_least", "is 0, which is not early", "set the days before a renewal"
        )
    if offer.kind is OfferKind.SEASONAL and not offer.seasonal_tags and offer.ends_on is None:
        yield Problem(f"{here}.ends_on", "is missing", "a season has an end, or tags (`seasonal_tags`)")
    if offer.kind is OfferKind.ANNIVERSARY and offer.anniversary_within is None:
        yield Problem(f"{here}.anniversary_within", "is missing", "say how near to the anniversary, in days")


def _eligibility(here: str, offer: Offer, policy: Policy) -> Iterator[Problem]:
    yield from condition_problems(f"{here}.when", offer.when, policy)
    if offer.starts_on is not None and offer.ends_on is not None and offer.starts_on > offer.ends_on:
        yield Problem(f"{here}.ends_on", "lies before `starts_on`")
    if offer.days_before_at_least > offer.days_before_at_most:
        yield Problem(f"{here}.days_before_at_most", "is less than `days_before_at_least`")
    for index, tag in enumerate(offer.seasonal_tags):
        if len(tag) > policy.memory.tag_characters:
            yield Problem(
                f"{here}.seasonal_tags[{index}]",
                "is longer than any tag that is kept",
                "see `memory.tag_characters`",
            )
    for index, channel in enumerate(offer.channels):
        if channel in offer.channels[:index]:
            yield Problem(f"{here}.channels[{index}]", f"`{channel.value}` stands twice", "name it once")


def _cap(here: str, offer: Offer, policy: Policy) -> Iterator[Problem]:
    if offer.cap.per <= timedelta(0):
        yield Problem(f"{here}.cap.per", "is not positive", "a duration like P365D")
    if offer.cap.per > policy.memory.quiet_customers:
        days = policy.memory.quiet_customers / timedelta(days=1)
        yield Problem(
            f"{here}.cap.per",
            f"is longer than what is remembered of a quiet customer ({days:g} days)",
            "shorten it, or raise `memory.quiet_customers`",
        )


def _memory(policy: Policy) -> Iterator[Problem]:
    """Each cap has to find what it counts: together they must fit what is remembered."""
    needed = sum(offer.cap.offers for offer in policy.offers.values() if offer.enabled)
    if needed > policy.memory.offers:
        yield Problem(
            "memory.offers",
            f"is {policy.memory.offers}, and the caps of the offers that are made add up to {needed}",
            "raise it, or lower `offers[].cap.offers`",
        )


def _marketing(policy: Policy) -> Iterator[Problem]:
    marketing = policy.marketing
    if marketing.ask_again_after < timedelta(minutes=1):
        yield Problem("marketing.ask_again_after", "is under a minute", "a duration like PT1M")
    if not timedelta(0) <= marketing.wait_for_budget <= timedelta(hours=6):
        yield Problem("marketing.wait_for_budget", "is not between 0 and 6 hours", "a duration like PT15M")


def _reminders(policy: Policy, offer: Offer) -> bool:
    """Whether a reminder of a renewal may carry the offer."""
    return any(
        offer.days_before_at_least <= reminder.days_before <= offer.days_before_at_most
        and (not offer.intervals or not reminder.intervals or set(offer.intervals) & set(reminder.intervals))
        and (reminder.follow_preference or set(reminder.channels) & set(offer.channels))
        for reminder in policy.renewals.reminders
    )
