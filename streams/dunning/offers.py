"""Offers: which one rides on a reminder of a renewal, and why others do not.

A reminder that carries one is marketing. What forbids the offer never holds the reminder up: it goes out
without.
"""

from datetime import date, datetime, timedelta
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from streams.dunning.calendar import local_day, opening
from streams.dunning.candidates import Candidate
from streams.dunning.commands import Outcome, ReasonCode
from streams.dunning.events import Channel
from streams.dunning.identity import fingerprint
from streams.dunning.offer_made import OfferMade
from streams.dunning.offer_settings import Offer
from streams.dunning.offer_stock import Answer, Draw, count_account, money_account
from streams.dunning.plans import last_day
from streams.dunning.segments import takes
from streams.dunning.state import Plan, PlanKind
from streams.dunning.treatment import offers as offers_in_arm
from streams.dunning.treatment import silenced_by
from streams.dunning.turn import Turn

_DAY = timedelta(days=1)


class Riding(Struct, frozen=True):
    """An offer that rides on a reminder: until which local day it holds, and what it draws from its total."""

    name: str
    offer: Offer
    until: date
    discount_minor: int
    draws: tuple[Draw, ...]
    mark: bytes


class Waiting(Enum):
    """The reminder waits a moment: of the offer's total more may be had than is at hand."""

    WAITING = "waiting"


WAITING = Waiting.WAITING

_OF_THE_MESSAGE = frozenset({ReasonCode.NO_MARKETING_CONSENT, ReasonCode.OUTSIDE_MARKETING_WINDOW})
"""What forbids one offer and is no different for the next one."""


def offer_for(turn: Turn, plan: Plan, candidate: Candidate, channel: Channel) -> Riding | Waiting | None:
    """The offer that rides on a reminder that goes out now by the channel; if none, the reasons are said.

    One that bounced carries its offer again, as long as that holds, and nothing more is drawn for it.
    """
    if plan.kind is not PlanKind.RENEWAL or not turn.policy.offers:
        return None
    experiment = silenced_by(plan, "offer", turn.policy)
    if experiment is not None:
        turn.say(
            Outcome.WITHHELD,
            ReasonCode.HOLDOUT,
            plan_id=plan.plan_id,
            step_id=candidate.step_id,
            channel=channel,
            experiment=experiment,
        )
        return None
    mark = fingerprint(f"{plan.plan_id} {candidate.step_id}")
    made = next((each for each in turn.state.offers if each.mark == mark), None)
    for name in _names(turn, plan) if made is None else (made.offer,):
        offer = turn.policy.offers.get(name)
        if offer is None or not offer.enabled:
            continue
        riding = None
        if channel in offer.channels and _fits_renewal(turn, plan, offer):
            riding = _riding(turn, plan, name, mark, made)
        found = _allowed(turn, plan, candidate, riding)
        if not isinstance(found, ReasonCode):
            return found
        turn.say(
            Outcome.WITHHELD,
            found,
            plan_id=plan.plan_id,
            step_id=candidate.step_id,
            channel=channel,
            offer=name,
        )
        if found in _OF_THE_MESSAGE:
            return None
    return None


def _allowed(
    turn: Turn, plan: Plan, candidate: Candidate, riding: Riding | None
) -> Riding | Waiting | ReasonCode:
    """The offer if it may be made, or why not."""
    if riding is None:
        return ReasonCode.OFFER_NOT_ELIGIBLE
    profile = turn.state.profile
    if profile is None or not profile.marketing_consent:
        return ReasonCode.NO_MARKETING_CONSENT
    if not _may_market(turn, turn.clock):
        return ReasonCode.OUTSIDE_MARKETING_WINDOW
    if not riding.draws:
        return riding
    if _times_made(turn, riding.name, riding.offer) >= riding.offer.cap.offers:
        return ReasonCode.OFFER_CAP_REACHED
    draws = _with_drawn(turn, riding.draws)
    answer = turn.stock.answer(draws)
    if answer is Answer.ENOUGH:
        return riding
    if answer is Answer.NOT_AT_HAND and candidate.may_wait and _has_time(turn, plan, candidate):
        turn.awaited.extend(turn.stock.awaiting(draws))
        return WAITING
    return ReasonCode.OFFER_BUDGET_SPENT


def make(turn: Turn, riding: Riding | None) -> None:
    """Remember that the customer was made the offer, and draw it from its total.

    If that makes too many to remember, the ones that no cap counts go first, then the oldest.
    """
    if riding is None or not riding.draws:
        return
    turn.drawn.extend(riding.draws)
    offers = (*turn.state.offers, OfferMade(riding.name, turn.clock, riding.mark))
    while len(offers) > turn.policy.memory.offers:
        gone = next((each for each in offers if not _is_counted(turn, each)), offers[0])
        offers = tuple(each for each in offers if each is not gone)
    turn.state = replace(turn.state, offers=offers)


def _may_market(turn: Turn, moment: datetime) -> bool:
    """Whether the moment lies in the customer's marketing window."""
    return opening(turn.policy.marketing.window, moment, turn.zone, turn.state.profile) == moment


def riding_by(turn: Turn, riding: Riding | None, channel: Channel, send_after: datetime) -> Riding | None:
    """The offer, if it rides on the reminder's message by this channel, which goes out at `send_after`."""
    if riding is None or channel not in riding.offer.channels or not _may_market(turn, send_after):
        return None
    return riding


def offer_variables(riding: Riding, variables: dict[str, str]) -> dict[str, str]:
    """What a reminder that carries an offer may speak of as well."""
    return variables_of(riding.offer, int(variables["amount_minor"]), riding.discount_minor, riding.until)


def variables_of(offer: Offer, amount_minor: int, discount_minor: int, until: date) -> dict[str, str]:
    """What the words of an offer may speak of (see `streams.dunning.variables`)."""
    terms = offer.terms
    found = {"offer_kind": offer.kind.value, "offer_until": until.isoformat()}
    if terms.percent_off is not None:
        found["offer_percent"] = str(terms.percent_off)
    if terms.price_part is not None:
        found["offer_price_part"] = str(terms.price_part)
    else:
        found["offer_discount_minor"] = str(discount_minor)
        found["offer_price_minor"] = str(amount_minor - discount_minor)
    if offer.plan_name is not None:
        found["offer_plan"] = offer.plan_name
    return found


def _names(turn: Turn, plan: Plan) -> tuple[str, ...]:
    chosen = offers_in_arm(plan, turn.policy)
    if chosen is not None:
        return chosen
    segment = turn.state.segment
    return next((each.offers for each in turn.policy.segments if each.name == segment), ())


def _riding(turn: Turn, plan: Plan, name: str, mark: bytes, made: OfferMade | None) -> Riding | None:
    """The offer as it is made for this renewal, None if it is not for this customer or day.

    What was made before is for them still, on the days on which it holds, and draws nothing.
    """
    offer = turn.policy.offers[name]
    today = local_day(turn.clock, turn.zone)
    since = today if made is None else local_day(made.at, turn.zone)
    until = min(since + offer.holds_for * _DAY, last_day(plan, turn.zone), offer.ends_on or date.max)
    if until < today or (offer.starts_on is not None and today < offer.starts_on):
        return None
    currency = plan.variables["currency"]
    discount = discount_of(offer, int(plan.variables["amount_minor"]), currency)
    limited = offer.budget.money
    if discount is None or (limited and currency not in limited):
        return None
    if made is not None:
        return Riding(name, offer, until, discount, (), mark)
    if not _fits_customer(turn, offer, today):
        return None
    draws = [Draw(count_account(name), 1)]
    if limited:
        draws.append(Draw(money_account(name, currency), discount))
    return Riding(name, offer, until, discount, tuple(draws), mark)


def discount_of(offer: Offer, amount_minor: int, currency: str) -> int | None:
    """What the offer takes off a renewal, rounded to the nearest minor unit; None if it takes nothing off.

    Of a plan at a part of its price that is not known: 0.
    """
    terms = offer.terms
    if terms.price_part is not None:
        return 0
    if terms.percent_off is not None:
        discount = (amount_minor * terms.percent_off + 50) // 100
    else:
        discount = min(terms.amount_off.get(currency, 0), amount_minor)
    return discount or None


def _fits_renewal(turn: Turn, plan: Plan, offer: Offer) -> bool:
    if turn.state.cases:  # who owes something is not sold to
        return False
    left = (last_day(plan, turn.zone) - local_day(turn.clock, turn.zone)).days
    if not offer.days_before_at_least <= left <= offer.days_before_at_most:
        return False
    if offer.intervals and plan.interval not in offer.intervals:
        return False
    if not offer.minimum_amount:
        return True
    least = offer.minimum_amount.get(plan.variables["currency"])
    return least is not None and int(plan.variables["amount_minor"]) >= least


def _fits_customer(turn: Turn, offer: Offer, today: date) -> bool:
    profile = turn.state.profile
    score = 0 if turn.risk is None else turn.risk.score
    if not takes(offer.when, turn.state, score, turn.clock):
        return False
    if offer.seasonal_tags and (
        profile is None or not any(tag in profile.seasonal_tags for tag in offer.seasonal_tags)
    ):
        return False
    if offer.anniversary_within is None:
        return True
    if profile is None or profile.customer_since is None:
        return False
    came = local_day(profile.customer_since, turn.zone)
    return days_to_anniversary(came, today) <= offer.anniversary_within


def days_to_anniversary(came: date, today: date) -> int:
    """Days between a day and the nearest anniversary of another, the first one at the earliest.

    Who came on 29 February has it on 1 March where there is none.
    """
    years = (today.year - 1, today.year, today.year + 1)
    return min(
        (abs((_in_year(came, year) - today).days) for year in years if year > came.year),
        default=len(years) * 366,
    )


def _in_year(day: date, year: int) -> date:
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 3, 1)


def _times_made(turn: Turn, name: str, offer: Offer) -> int:
    since = turn.clock - offer.cap.per
    return sum(each.offer == name and each.at > since for each in turn.state.offers)


def _is_counted(turn: Turn, made: OfferMade) -> bool:
    """Whether a cap of the policy counts it."""
    offer = turn.policy.offers.get(made.offer)
    return offer is not None and made.at > turn.clock - offer.cap.per


def _with_drawn(turn: Turn, draws: tuple[Draw, ...]) -> tuple[Draw, ...]:
    """The draws with what this decision has drawn before: all of it has to be at hand."""
    if not turn.drawn:
        return draws
    return tuple(
        Draw(
            draw.account,
            draw.amount + sum(each.amount for each in turn.drawn if each.account == draw.account),
        )
        for draw in draws
    )


def _has_time(turn: Turn, plan: Plan, candidate: Candidate) -> bool:
    """Whether the reminder can wait once more, without being late for the renewal or out of the window."""
    marketing = turn.policy.marketing
    again = turn.clock + marketing.ask_again_after
    since = candidate.awaits_since or turn.clock
    return again < plan.ends_at and again - since <= marketing.wait_for_budget and _may_market(turn, again)
