"""A policy's offers are checked, and so are the texts that tell of them."""

from datetime import date
from typing import Any

import msgspec
import pytest

from streams.dunning.events import Channel
from streams.dunning.offer_settings import OfferKind
from streams.dunning.offers import variables_of
from streams.dunning.variables import MessageKind
from streams.policy import Problem
from streams.policy.documents import Document
from streams.policy.loading import LoadedPolicy, from_document
from streams.policy.samples import samples
from streams.policy.usage import uses

from .conftest import Problems

LOYALTY: dict[str, Any] = {
    "kind": "loyalty",
    "when": {"tenure_at_least": "P365D"},
    "holds_for": 14,
    "terms": {"percent_off": 10},
    "budget": {"offers": 100},
}
TELLS = (
    "{% if offer_kind %}"
    "Until {{ offer_until | date }}: {% if offer_percent %}{{ offer_percent }}%{% endif %}"
    "{% if offer_discount_minor is not none %}{{ offer_discount_minor | money(currency) }} off, "
    "{{ offer_price_minor | money(currency) }}{% endif %}"
    "{% if offer_plan %}{{ offer_plan }}{% endif %}"
    "{% if offer_price_part is not none %} at {{ offer_price_part }}%{% endif %}"
    "{% endif %}"
)


@pytest.fixture
def offering(document: dict[str, Any]) -> dict[str, Any]:
    """Care with one offer, and texts that tell of it."""
    document["offers"] = {"loyalty": {**LOYALTY}}
    document["segments"] = [{"name": "standard", "offers": ["loyalty"]}]
    for room in ("cards", "renewals"):
        document[room]["reminders"] = [
            each for each in document[room]["reminders"] if not each.get("segments")
        ]
    for templates in document["content"].values():
        for channel in ("email", "in_app"):
            text = templates["renewal_upcoming"][channel]
            text["body"] += TELLS
    return document


@pytest.fixture
def enabled(document: dict[str, Any]) -> dict[str, Any]:
    """Care with all of its offers switched on."""
    for offer in document["offers"].values():
        offer["enabled"] = True
    return document


def loaded(document: dict[str, Any]) -> LoadedPolicy:
    return from_document(Document("test", document))


def test_a_policy_with_an_offer_loads_and_writes_its_words(offering: dict[str, Any]) -> None:
    policy = loaded(offering)
    assert policy.policy.offers["loyalty"].budget.offers == 100
    assert not [each for each in policy.warnings if "offer" in each.path]
    assert loaded(policy.document).version == policy.version


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"terms": {}}, "terms", "has nothing"),
        ({"terms": {"percent_off": 10, "amount_off": {"USD": 1}}}, "terms", "percent_off and amount_off"),
        ({"terms": {"percent_off": 101}}, "terms.percent_off", "at most 100"),
        ({"terms": {"amount_off": {"XYZ": 1}}}, "terms.amount_off.XYZ", "is not a currency"),
        ({"minimum_amount": {"XYZ": 1}}, "minimum_amount.XYZ", "is not a currency"),
        ({"budget": {"offers": 1, "money": {"XYZ": 1}}}, "budget.money.XYZ", "is not a currency"),
        ({"budget": {"offers": -1}}, "budget.offers", "at least 0"),
        ({"terms": {"price_part": 50}}, "terms.price_part", "is for an upgrade or an upsell"),
        (
            {
                "kind": "upgrade",
                "plan_name": "Team",
                "terms": {"price_part": 50},
                "budget": {"offers": 1, "money": {"USD": 1}},
            },
            "budget.money",
            "cannot be kept",
        ),
        (
            {"kind": "upgrade", "terms": {"price_part": 50}},
            "plan_name",
            "name the plan that an upgrade is about",
        ),
        ({"kind": "upsell"}, "plan_name", "is missing"),
        ({"when": {}}, "when.tenure_at_least", "is not a year or more"),
        ({"when": {"tenure_at_least": "P90D"}}, "when.tenure_at_least", "set it to P365D"),
        (
            {"when": {"tenure_at_least": "P365D", "countries": ["XX"]}},
            "when.countries[0]",
            "is not a country",
        ),
        ({"kind": "early_renewal"}, "days_before_at_least", "which is not early"),
        ({"kind": "seasonal"}, "ends_on", "a season has an end"),
        ({"kind": "anniversary"}, "anniversary_within", "is missing"),
        ({"kind": "birthday"}, "kind", "known: anniversary, early_renewal"),
        ({"starts_on": "2026-05-02", "ends_on": "2026-05-01"}, "ends_on", "lies before `starts_on`"),
        ({"ends_on": "soon"}, "ends_on", "which is not a date; ISO 8601, like 2026-03-31"),
        (
            {"days_before_at_least": 8, "days_before_at_most": 7},
            "days_before_at_most",
            "less than `days_before_at_least`",
        ),
        ({"seasonal_tags": ["x" * 41]}, "seasonal_tags[0]", "longer than any tag that is kept"),
        ({"channels": ["email", "email"]}, "channels[1]", "stands twice"),
        ({"channels": []}, "channels", "is empty"),
        ({"cap": {"per": "P0D"}}, "cap.per", "is not positive"),
        (
            {"cap": {"per": "P500D"}},
            "cap.per",
            "longer than what is remembered of a quiet customer (401 days)",
        ),
        ({"cap": {"offers": 0}}, "cap.offers", "at least 1"),
    ],
)
def test_what_is_wrong_with_an_offer_is_told(
    offering: dict[str, Any], problems_of: Problems, change: dict[str, Any], path: str, words: str
) -> None:
    offering["offers"]["loyalty"].update(change)
    found = problems_of(offering)
    assert set(found) == {f"offers.loyalty.{path}"}
    problem = found[f"offers.loyalty.{path}"]
    assert words in f"{problem.message}; {problem.hint}"


@pytest.mark.parametrize(
    ("names", "path", "words"),
    [
        (["loyaltee"], "segments[0].offers[0]", "did you mean `loyalty`?"),
        (["loyalty", "loyalty"], "segments[0].offers[1]", "stands twice"),
    ],
)
def test_segments_name_offers_that_are_there(
    offering: dict[str, Any], problems_of: Problems, names: list[str], path: str, words: str
) -> None:
    offering["segments"][0]["offers"] = names
    problem: Problem = problems_of(offering)[path]
    assert words in f"{problem.message}; {problem.hint}"


def test_caps_fit_what_is_remembered(offering: dict[str, Any], problems_of: Problems) -> None:
    offering["offers"]["loyalty"]["cap"] = {"offers": 5}
    offering["offers"]["again"] = {**LOYALTY, "cap": {"offers": 4}}
    assert "add up to 9" in problems_of(offering)["memory.offers"].message
    offering["offers"]["again"]["enabled"] = False
    assert not problems_of(offering)


@pytest.mark.parametrize(
    ("marketing", "path"),
    [
        ({"window": {"opens": "20:00", "closes": "08:00"}}, "marketing.window"),
        ({"ask_again_after": "PT10S"}, "marketing.ask_again_after"),
        ({"wait_for_budget": "P1D"}, "marketing.wait_for_budget"),
    ],
)
def test_when_offers_may_be_made(
    offering: dict[str, Any], problems_of: Problems, marketing: dict[str, Any], path: str
) -> None:
    offering["marketing"] = {**offering["marketing"], **marketing}
    assert set(problems_of(offering)) == {path}


def test_a_text_that_says_nothing_of_an_offer_is_refused(
    offering: dict[str, Any], problems_of: Problems
) -> None:
    offering["offers"]["loyalty"]["channels"] = ["email", "sms"]
    locales = offering["content"]
    assert set(problems_of(offering)) == {f"content.{locale}.renewal_upcoming.sms" for locale in locales}
    problem = problems_of(offering)["content.en.renewal_upcoming.sms"]
    assert "says nothing of the offers that it may carry: loyalty" in problem.message


def test_a_text_that_cannot_be_written_with_an_offer_is_refused(
    offering: dict[str, Any], problems_of: Problems
) -> None:
    text = offering["content"]["en"]["renewal_upcoming"]["email"]
    text["body"] += "{% if offer_kind %}{{ offer_price_part + 1 }}{% endif %}"
    problem = problems_of(offering)["content.en.renewal_upcoming.email"]
    assert "cannot be rendered with the offer `loyalty`" in problem.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"days_before_at_least": 40}, "rides on no reminder"),
        ({"intervals": ["month"], "days_before_at_least": 20}, "rides on no reminder"),
        ({"channels": ["in_app"]}, "rides on no reminder"),
    ],
)
def test_an_offer_that_never_rides_is_warned_of(
    offering: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    offering["offers"]["loyalty"].update(change)
    (warning,) = (each for each in loaded(offering).warnings if each.path == "offers.loyalty")
    assert words in warning.message


def test_an_offer_that_no_segment_names_is_warned_of(offering: dict[str, Any]) -> None:
    del offering["segments"][0]["offers"]
    (warning,) = (each for each in loaded(offering).warnings if each.path == "offers.loyalty")
    assert "made to nobody" in warning.message


def test_care_has_an_offer_of_each_kind_and_makes_none(care: LoadedPolicy) -> None:
    offers = care.policy.offers
    assert {name: offer.kind.value for name, offer in offers.items()} == {kind: kind for kind in OfferKind}
    assert not any(offer.enabled for offer in offers.values())


def test_care_tells_of_each_offer_in_every_language(enabled: dict[str, Any]) -> None:
    policy = loaded(enabled)
    assert policy.warnings == ()
    (use,) = {
        use.template: use for use in uses(policy.policy) if use.kind is MessageKind.RENEWAL_UPCOMING
    }.values()
    told = set()
    for locale in policy.content.texts:
        plain = next(samples(use, Channel.EMAIL, locale))
        for name, offer in policy.policy.offers.items():
            words = variables_of(offer, 123_456, 12_346, date(2026, 9, 10))
            message = msgspec.structs.replace(plain, offer=name, variables=plain.variables | words)
            body = policy.content.render(message).body
            assert str(offer.terms.percent_off or offer.terms.price_part) in body
            assert offer.plan_name is None or offer.plan_name in body
            told.add(body)
    assert len(told) == len(policy.content.texts) * len(policy.policy.offers)
