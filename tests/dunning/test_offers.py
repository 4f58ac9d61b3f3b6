"""Offers ride on reminders of a renewal: to whom, when, how often, and never on a debt."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.dunning.audience import Condition, Segment
from streams.dunning.commands import NotificationCommand, Outcome, ReasonCode
from streams.dunning.events import Channel, CustomerProfile, FeedbackKind, RenewalUpcoming
from streams.dunning.offer_settings import Cap, Offer, OfferBudget, OfferKind, Terms
from streams.dunning.offer_stock import Stock
from streams.dunning.offers import days_to_anniversary
from streams.dunning.policy import Policy, Reminder
from streams.dunning.window_settings import Marketing, Window
from tests.dunning.customer import Customer, care, local, played, utc
from tests.strategies import DAY, Happening, History, histories

NOW = utc("2026-03-02 15:00")
RENEWAL = local("2026-04-11 10:00")
LOYALTY = Offer(
    kind=OfferKind.LOYALTY,
    when=Condition(tenure_at_least=timedelta(days=365)),
    days_before_at_least=7,
    holds_for=10,
    terms=Terms(percent_off=10),
    budget=OfferBudget(offers=3),
)


def offering(*offers: Offer, policy: Policy | None = None, **settings: Any) -> Policy:
    """Care with these offers to everybody, by name `offer_1` and so on."""
    named = {f"offer_{number}": offer for number, offer in enumerate(offers, 1)}
    everybody = Segment(name="standard", offers=tuple(named))
    return replace(policy or care().policy, offers=named, segments=(everybody,), **settings)


def renewing(policy: Policy, *, amount: int = 2000, interval: str = "year", **profile: Any) -> Customer:
    """A customer of two years, in New York, whose subscription renews in forty days."""
    customer = Customer(policy)
    customer.profile(NOW, **{"marketing_consent": True, **profile})
    customer.renewing(NOW, RENEWAL, amount=amount, interval=interval)
    return customer


def carried(customer: Customer) -> list[tuple[str, str | None]]:
    """Which reminders went out, and with which offers."""
    return [(each.step_id, each.offer) for each in customer.sent]


def withheld(customer: Customer) -> list[tuple[str | None, str | None, ReasonCode]]:
    return [(each.step_id, each.offer, each.reason) for each in customer.said(Outcome.WITHHELD)]


def test_a_loyal_customer_is_made_the_offer_once_on_the_first_reminder() -> None:
    customer = renewing(offering(LOYALTY))
    customer.until(RENEWAL)
    assert carried(customer) == [("renewal_30", "offer_1"), ("renewal_7", None), ("renewal_1", None)]
    with_offer, plain, _ = customer.sent
    assert with_offer.purpose == "marketing"
    assert plain.purpose == "transactional"
    assert with_offer.decided_at == local("2026-03-12 09:00")
    words = {name: value for name, value in with_offer.variables.items() if name.startswith("offer")}
    assert words == {
        "offer_kind": "loyalty",
        "offer_percent": "10",
        "offer_discount_minor": "200",
        "offer_price_minor": "1800",
        "offer_until": "2026-03-22",
    }
    assert not any(name.startswith("offer") for name in plain.variables)
    assert withheld(customer) == [
        ("renewal_7", "offer_1", ReasonCode.OFFER_CAP_REACHED),
        ("renewal_1", "offer_1", ReasonCode.OFFER_NOT_ELIGIBLE),
    ]
    (sent,) = (each for each in customer.said(Outcome.SENT) if each.offer)
    assert (sent.offer, sent.step_id, sent.reason) == ("offer_1", "renewal_30", ReasonCode.STEP_DUE)
    assert customer.stock.held == {"offer_1": 2}


@pytest.mark.parametrize(
    ("offer", "amount", "words"),
    [
        (LOYALTY, 1995, {"offer_discount_minor": "200", "offer_price_minor": "1795", "offer_percent": "10"}),
        (
            replace(LOYALTY, terms=Terms(amount_off={"USD": 500, "EUR": 1})),
            2000,
            {"offer_discount_minor": "500", "offer_price_minor": "1500"},
        ),
        (
            replace(LOYALTY, terms=Terms(amount_off={"USD": 500})),
            300,
            {"offer_discount_minor": "300", "offer_price_minor": "0"},
        ),
        (
            replace(LOYALTY, kind=OfferKind.UPGRADE, terms=Terms(price_part=60), plan_name="Team"),
            2000,
            {"offer_price_part": "60", "offer_plan": "Team"},
        ),
    ],
)
def test_terms_are_told_in_numbers(offer: Offer, amount: int, words: dict[str, str]) -> None:
    customer = renewing(offering(offer), amount=amount)
    customer.until(local("2026-03-12 09:00"))
    (command,) = customer.sent
    given = {name: value for name, value in command.variables.items() if name.startswith("offer_")}
    del given["offer_kind"], given["offer_until"]
    assert given == words


@pytest.mark.parametrize(
    ("change", "until"),
    [
        ({"holds_for": 0}, "2026-03-12"),
        ({"holds_for": 400}, "2026-04-11"),  # never past the renewal
        ({"ends_on": date(2026, 3, 15)}, "2026-03-15"),
    ],
)
def test_how_long_an_offer_holds(change: dict[str, Any], until: str) -> None:
    customer = renewing(offering(replace(LOYALTY, **change)))
    customer.until(local("2026-03-12 09:00"))
    assert customer.sent[0].variables["offer_until"] == until


@pytest.mark.parametrize(
    "change",
    [
        {"when": Condition(tenure_at_least=timedelta(days=1000))},
        {"when": Condition(countries=("DE",))},
        {"when": Condition(tags=("vip",))},
        {"when": Condition(risk_at_least=1)},
        {"intervals": ("month",)},
        {"minimum_amount": {"USD": 2001}},
        {"minimum_amount": {"EUR": 1}},
        {"terms": Terms(amount_off={"EUR": 100})},
        {"starts_on": date(2026, 4, 5)},
        {"ends_on": date(2026, 3, 11)},
        {"days_before_at_least": 31},
        {"days_before_at_least": 0, "days_before_at_most": 0},
        {"seasonal_tags": ("spring",)},
        {"anniversary_within": 60},
        {"channels": (Channel.SMS,)},
        {"budget": OfferBudget(offers=1, money={"EUR": 100_000})},
    ],
)
def test_who_is_not_eligible_is_reminded_plainly(change: dict[str, Any]) -> None:
    customer = renewing(offering(replace(LOYALTY, **change)))
    customer.until(RENEWAL)
    assert [offer for _, offer in carried(customer)] == [None] * 3
    assert {reason for *_, reason in withheld(customer)} == {ReasonCode.OFFER_NOT_ELIGIBLE}
    assert {each.purpose for each in customer.sent} == {"transactional"}


@pytest.mark.parametrize(
    ("change", "profile"),
    [
        ({"when": Condition(tags=("vip", "press"))}, {"segments": ("vip",)}),
        ({"seasonal_tags": ("spring",)}, {"seasonal_tags": ("winter", "spring")}),
        ({"intervals": ("month", "year")}, {}),
        ({"minimum_amount": {"USD": 2000}}, {}),
        ({"starts_on": date(2026, 3, 12), "ends_on": date(2026, 3, 12)}, {}),
        ({"days_before_at_least": 30, "days_before_at_most": 30}, {}),
    ],
)
def test_who_is_eligible_is_made_the_offer(change: dict[str, Any], profile: dict[str, Any]) -> None:
    customer = renewing(offering(replace(LOYALTY, **change)), **profile)
    customer.until(RENEWAL)
    assert carried(customer)[0] == ("renewal_30", "offer_1")


def test_the_first_that_is_for_the_customer_rides_and_is_the_only_one() -> None:
    upsell = replace(LOYALTY, kind=OfferKind.UPSELL, plan_name="Team", when=Condition(countries=("DE",)))
    customer = renewing(offering(upsell, replace(LOYALTY, enabled=False), LOYALTY, LOYALTY))
    customer.until(local("2026-03-12 09:00"))
    assert carried(customer) == [("renewal_30", "offer_3")]
    assert withheld(customer) == [("renewal_30", "offer_1", ReasonCode.OFFER_NOT_ELIGIBLE)]


def test_the_segment_says_which_offers_its_customers_may_be_made() -> None:
    policy = offering(LOYALTY)
    german = Segment(name="german", when=Condition(countries=("DE",)))
    policy = replace(policy, segments=(german, *policy.segments))
    for country, offer in (("DE", None), ("US", "offer_1")):
        customer = renewing(policy, country=country)
        customer.until(local("2026-03-12 09:00"))
        assert carried(customer) == [("renewal_30", offer)]
        assert not withheld(customer)


def test_without_consent_the_reminder_goes_plain_and_says_so() -> None:
    customer = renewing(offering(LOYALTY, LOYALTY), marketing_consent=False)
    customer.until(local("2026-03-12 09:00"))
    assert carried(customer) == [("renewal_30", None)]
    assert withheld(customer) == [("renewal_30", "offer_1", ReasonCode.NO_MARKETING_CONSENT)]
    unknown = Customer(offering(replace(LOYALTY, when=Condition())))
    unknown.renewing(NOW, RENEWAL)
    unknown.until(RENEWAL)
    assert {reason for *_, reason in withheld(unknown)} >= {ReasonCode.NO_MARKETING_CONSENT}
    assert not any(offer for _, offer in carried(unknown))


def test_outside_the_marketing_window_the_reminder_goes_plain() -> None:
    closed = Marketing(window=Window(opens="10:00", closes="20:00"))
    customer = renewing(offering(LOYALTY, marketing=closed))
    customer.until(local("2026-03-12 09:00"))
    assert carried(customer) == [("renewal_30", None)]
    assert withheld(customer) == [("renewal_30", "offer_1", ReasonCode.OUTSIDE_MARKETING_WINDOW)]


def test_a_message_with_an_offer_is_void_when_the_marketing_window_closes() -> None:
    customer = renewing(offering(LOYALTY))
    customer.until(RENEWAL)
    with_offer, plain, _ = customer.sent
    assert with_offer.expires_at == local("2026-03-12 20:00")
    assert plain.expires_at == plain.decided_at + care().policy.command_validity


def test_an_offer_rides_by_its_own_channels_only_and_is_drawn_once() -> None:
    reminder = Reminder(
        id="renewal_30",
        days_before=30,
        channels=(Channel.EMAIL, Channel.SMS, Channel.IN_APP),
        template="renewal_upcoming",
    )
    policy = offering(LOYALTY, renewals=replace(care().policy.renewals, reminders=(reminder,)))
    customer = renewing(policy)
    customer.until(RENEWAL)
    assert [(each.channel, each.offer, each.purpose) for each in customer.sent] == [
        (Channel.EMAIL, "offer_1", "marketing"),
        (Channel.SMS, None, "transactional"),
        (Channel.IN_APP, "offer_1", "marketing"),
    ]
    assert customer.stock.held == {"offer_1": 2}


def test_nobody_who_owes_is_made_an_offer() -> None:
    customer = renewing(offering(LOYALTY))
    customer.failed(local("2026-03-11 12:00"), subscription="sub-2")
    customer.until(local("2026-03-12 09:00"))
    assert carried(customer) == [("d0_email", None), ("renewal_30", None)]
    assert withheld(customer) == [("renewal_30", "offer_1", ReasonCode.OFFER_NOT_ELIGIBLE)]
    # Having paid, they are customers as before.
    customer.paid(local("2026-03-13 12:00"), subscription="sub-2")
    customer.until(RENEWAL)
    assert carried(customer)[2:] == [("renewal_7", "offer_1"), ("renewal_1", None)]


def test_the_cap_counts_a_time_that_moves() -> None:
    policy = offering(
        replace(LOYALTY, cap=Cap(offers=2, per=timedelta(days=90)), budget=OfferBudget(offers=9))
    )
    customer = renewing(policy)
    for number in range(1, 8):
        customer.until(RENEWAL + (number - 1) * 30 * DAY)
        customer.renewing(customer.state.clock, RENEWAL + number * 30 * DAY, interval="month")
    customer.until(RENEWAL + 220 * DAY)
    made = [each.decided_at for each in customer.sent if each.offer]
    assert len(made) > 4
    assert all(later - earlier >= timedelta(days=90) for earlier, later in zip(made, made[2:], strict=False))
    assert [each.at for each in customer.state.offers] == made


def test_what_no_cap_counts_is_forgotten_first_then_the_oldest() -> None:
    short = replace(LOYALTY, cap=Cap(offers=9, per=timedelta(days=10)))
    long = replace(LOYALTY, cap=Cap(offers=9, per=timedelta(days=400)), when=Condition(tags=("vip",)))
    memory = replace(care().policy.memory, offers=3)
    budget = OfferBudget(offers=99)
    policy = offering(replace(long, budget=budget), replace(short, budget=budget), memory=memory)
    customer = renewing(policy, segments=("vip",), interval="month")
    for number in range(1, 7):
        end = RENEWAL + (number - 1) * 30 * DAY
        customer.until(end)
        if number == 2:
            customer.profile(end, marketing_consent=True)
        if number == 4:
            customer.profile(end, marketing_consent=True, segments=("vip",))
        customer.renewing(end, end + 30 * DAY, interval="month")
    customer.until(RENEWAL + 190 * DAY)
    made = [(each.offer, each.decided_at) for each in customer.sent if each.offer]
    assert {name for name, _ in made} == {"offer_1", "offer_2"}
    assert [(each.offer, each.at) for each in customer.state.offers] == [
        each for each in made if each[0] == "offer_1"
    ][-3:]


def test_a_reminder_that_bounced_carries_its_offer_again_and_draws_nothing_more() -> None:
    customer = renewing(offering(replace(LOYALTY, budget=OfferBudget(offers=1))))
    customer.until(local("2026-03-12 09:00"))
    customer.feedback(local("2026-03-12 09:10"), FeedbackKind.BOUNCED_SOFT)
    customer.until(local("2026-03-14 09:00"))
    first, again = customer.sent
    assert first.offer == again.offer == "offer_1"
    assert first.variables["offer_until"] == again.variables["offer_until"]
    assert customer.stock.held == {"offer_1": 0}
    assert len(customer.state.offers) == 1


def test_an_offer_that_holds_no_more_is_not_repeated() -> None:
    customer = renewing(offering(replace(LOYALTY, holds_for=0)))
    customer.until(local("2026-03-12 09:00"))
    customer.feedback(local("2026-03-12 09:10"), FeedbackKind.BOUNCED_SOFT)
    customer.until(local("2026-03-14 09:00"))
    assert carried(customer) == [("renewal_30", "offer_1"), ("renewal_30", None)]


@pytest.mark.parametrize(
    ("budget", "held", "offer"),
    [
        (OfferBudget(offers=0), {"offer_1": 0}, None),
        (OfferBudget(offers=5, money={"USD": 200}), {"offer_1": 4, "offer_1/USD": 0}, "offer_1"),
        (OfferBudget(offers=5, money={"USD": 199}), {"offer_1": 5, "offer_1/USD": 199}, None),
    ],
)
def test_the_total_is_kept(budget: OfferBudget, held: dict[str, int], offer: str | None) -> None:
    customer = renewing(offering(replace(LOYALTY, budget=budget)))
    customer.stock = Stock(customer.stock.held, dict.fromkeys(customer.stock.held, 0))
    customer.until(local("2026-03-12 09:00"))
    assert carried(customer) == [("renewal_30", offer)]
    assert customer.stock.held == held
    if offer is None:
        assert withheld(customer) == [("renewal_30", "offer_1", ReasonCode.OFFER_BUDGET_SPENT)]


def test_a_reminder_waits_a_moment_for_an_offer_of_which_more_may_be_had() -> None:
    customer = renewing(offering(LOYALTY))
    customer.stock = Stock()
    customer.until(local("2026-03-12 09:02"))
    assert not customer.sent
    waits = customer.said(Outcome.DEFERRED, ReasonCode.OFFER_AWAITED)
    assert [each.until for each in waits] == [local(f"2026-03-12 09:0{minute}") for minute in (1, 2, 3)]
    assert [each.account for each in customer.decided[-1].decision.awaited] == ["offer_1"]
    customer.stock = Stock({"offer_1": 1})
    customer.until(RENEWAL)
    assert customer.steps[0] == ("renewal_30", local("2026-03-12 09:03"))
    assert carried(customer)[0] == ("renewal_30", "offer_1")


def test_it_does_not_wait_for_long() -> None:
    customer = renewing(offering(LOYALTY))
    customer.stock = Stock()
    customer.until(RENEWAL)
    assert customer.steps[0] == ("renewal_30", local("2026-03-12 09:15"))
    assert carried(customer) == [("renewal_30", None), ("renewal_7", None), ("renewal_1", None)]
    assert withheld(customer)[0] == ("renewal_30", "offer_1", ReasonCode.OFFER_BUDGET_SPENT)


def test_it_does_not_wait_where_another_message_would_take_its_place() -> None:
    customer = renewing(offering(LOYALTY))
    customer.stock = Stock()
    customer.renewing(NOW, local("2026-04-11 12:00"), subscription="sub-2", interval="year")
    customer.until(local("2026-03-12 09:00"))
    assert carried(customer) == [("renewal_30", None)]
    assert [each[2] for each in withheld(customer)] == [ReasonCode.OFFER_BUDGET_SPENT]


@pytest.mark.parametrize(
    ("came", "today", "days"),
    [
        ("2024-03-12", "2026-03-12", 0),
        ("2024-03-12", "2026-03-10", 2),
        ("2024-12-31", "2026-01-02", 2),
        ("2024-01-02", "2025-12-31", 2),
        ("2024-02-29", "2026-03-01", 0),
        ("2024-02-29", "2028-02-29", 0),
        ("2026-03-01", "2026-03-02", 364),  # the first is a year away
    ],
)
def test_the_nearest_anniversary(came: str, today: str, days: int) -> None:
    assert days_to_anniversary(date.fromisoformat(came), date.fromisoformat(today)) == days


def test_an_anniversary_offer_is_made_near_the_day() -> None:
    offer = replace(LOYALTY, kind=OfferKind.ANNIVERSARY, anniversary_within=15)
    customer = Customer(offering(offer))
    customer.profile(NOW, marketing_consent=True)  # came on 1 January 2024, UTC: 31 December in New York
    customer.renewing(NOW, local("2027-02-10 10:00"), interval="year")
    customer.until(local("2027-02-09 12:00"))
    assert carried(customer) == [("renewal_30", "offer_1"), ("renewal_7", None), ("renewal_1", None)]


def test_cards_are_not_sold_with() -> None:
    customer = Customer(offering(LOYALTY))
    customer.profile(NOW, marketing_consent=True)
    customer.card_expiring(NOW)
    customer.until(NOW + 420 * DAY)
    assert customer.sent
    assert not withheld(customer)
    assert {each.purpose for each in customer.sent} == {"transactional"}


@st.composite
def _offers(draw: st.DrawFn) -> Offer:
    return Offer(
        kind=OfferKind.SEASONAL,
        when=draw(st.sampled_from([Condition(), Condition(countries=("US",)), Condition(risk_less_than=30)])),
        days_before_at_least=draw(st.sampled_from([0, 0, 7])),
        holds_for=draw(st.integers(0, 30)),
        terms=draw(st.sampled_from([Terms(percent_off=25), Terms(amount_off={"USD": 300})])),
        cap=Cap(offers=draw(st.integers(1, 2)), per=draw(st.sampled_from([5 * DAY, 90 * DAY]))),
        budget=OfferBudget(offers=draw(st.integers(0, 5)), money=draw(st.sampled_from([{}, {"USD": 900}]))),
    )


def _eager(draw: st.DrawFn, history: History) -> History:
    """The history with more renewals, and with customers who have mostly consented."""
    start, consent = history.happenings[0].arrives, draw(st.sampled_from([True, True, False]))
    happenings = [
        Happening(each.arrives, replace(each.what, marketing_consent=consent))
        if isinstance(each.what, CustomerProfile)
        else each
        for each in history.happenings
    ]
    for number in range(draw(st.integers(1, 8))):
        at = start + draw(st.integers(0, 100)) * DAY
        renewal = RenewalUpcoming(
            event_id=f"renewal-{number}",
            occurred_at=at,
            customer_id="customer-1",
            subscription_id=f"sub-{number}",
            renews_at=at + draw(st.integers(1, 40)) * DAY,
            amount_minor=2000,
            currency="USD",
            interval="year",
            plan_name="Basic",
        )
        happenings.append(Happening(at, renewal))
    return History(tuple(sorted(happenings, key=lambda each: each.arrives)), history.outages)


@st.composite
def _played(draw: st.DrawFn) -> tuple[Customer, Policy]:
    policy = offering(*draw(st.lists(_offers(), min_size=1, max_size=3)))
    history = _eager(draw, draw(histories(longest=8)))
    return played(history, policy=policy, until=history.end + 60 * DAY), policy


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(_played())
def test_never_on_a_debt_over_a_cap_without_consent_or_beyond_the_total(
    given: tuple[Customer, Policy],
) -> None:
    customer, policy = given
    made: dict[str, list[tuple[datetime, str]]] = {}
    for _, decision in customer.decided:
        for command in decision.commands:
            if not isinstance(command, NotificationCommand) or command.offer is None:
                continue
            profile = decision.state.profile
            assert profile is not None
            assert profile.marketing_consent
            assert not decision.state.cases
            assert not command.invoices
            assert command.case_id is None
            made.setdefault(command.offer, []).append(
                (command.decided_at, f"{command.plan_id} {command.step_id}")
            )
    for name, offers in made.items():
        offer = policy.offers[name]
        first: dict[str, datetime] = {}
        for at, reminder in offers:
            first.setdefault(reminder, at)
        times = sorted(first.values())
        for number, at in enumerate(times):
            in_time = [each for each in times[: number + 1] if each > at - offer.cap.per]
            assert len(in_time) <= offer.cap.offers
        assert len(times) <= offer.budget.offers
