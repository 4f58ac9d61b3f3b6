"""The policies of the task pages do what their pages say."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from streams.dunning.audience import Tone
from streams.dunning.events import Channel
from streams.dunning.experiments import arm_for
from streams.dunning.offer_stock import Stock, totals_of
from streams.dunning.policy import Policy
from streams.policy import load
from streams.policy.content_preview import previews
from tests.dunning.customer import Customer, utc
from tests.dunning.test_segments import tagged
from tests.strategies import CUSTOMER, DAY

REPOSITORY = Path(__file__).resolve().parents[2]
POLICIES = REPOSITORY / "examples" / "policies"
NOW = utc("2026-03-02 15:00")


def test_a_big_renewal_is_called_about() -> None:
    loaded = load(POLICIES / "call-before-a-big-renewal.yaml")
    assert loaded.warnings == ()
    customer = Customer(loaded.policy, content=loaded.content)
    customer.profile(NOW)
    customer.renewing(NOW, NOW + 40 * DAY, amount=120_000, interval="year")
    customer.until(NOW + 41 * DAY)
    assert customer.step_ids == ["renewal_30", "renewal_call_big", "renewal_7", "renewal_1"]
    call = customer.sent[1]
    assert call.channel == "phone"
    assert call.body


@pytest.mark.parametrize(
    ("days", "tone", "first"), [(10, "supportive", "gentle_d0_email"), (200, "formal", "d0_email")]
)
def test_new_customers_are_asked_more_gently(days: int, tone: str, first: str) -> None:
    loaded = load(POLICIES / "softer-for-new-customers.yaml")
    assert loaded.warnings == ()
    customer = Customer(loaded.policy, content=loaded.content)
    customer.tell(replace(tagged(NOW, ()), customer_since=NOW - timedelta(days=days)))
    customer.failed(NOW)
    customer.until(NOW + 45 * DAY)
    assert customer.step_ids[0] == first
    assert {each.tone for each in customer.sent} == {tone}
    assert ("phone" in {each.channel for each in customer.sent}) is (first == "d0_email")


@pytest.mark.parametrize(
    ("name", "tone", "hour"),
    [("as_now", "supportive", "09:00"), ("short", "short", "09:00"), ("evening", "supportive", "18:00")],
)
def test_tone_and_hour_are_compared(name: str, tone: str, hour: str) -> None:
    loaded = load(POLICIES / "test-tone-and-hour.yaml")
    assert loaded.warnings == ()
    policy = in_arm(loaded.policy, name)
    customer = Customer(policy, content=loaded.content)
    customer.tell(replace(tagged(NOW, ()), customer_since=NOW - timedelta(days=200)))
    customer.failed(NOW)
    customer.until(NOW + 10 * DAY)
    assert {each.tone for each in customer.sent} == {tone}
    assert {each.experiment_arms["tone_and_hour"] for each in customer.sent} == {name}
    zone = ZoneInfo("America/New_York")
    assert {f"{each.decided_at.astimezone(zone):%H:%M}" for each in customer.sent[1:]} == {hour}
    # Who is new is of a segment that takes no part.
    newcomer = Customer(policy)
    newcomer.tell(replace(tagged(NOW, ()), customer_since=NOW - timedelta(days=5)))
    newcomer.failed(NOW)
    assert newcomer.sent[0].experiment_arms == {}


def test_own_words_stand_beside_those_of_care() -> None:
    loaded = load(POLICIES / "own-words.yaml")
    assert [warning.path for warning in loaded.warnings] == []
    shown = {
        (locale, tone): next(
            previews(loaded, locale=locale, tone=tone, template="card_expiring", channel=Channel.EMAIL)
        ).command
        for locale in ("en-US", "de-AT", "de-DE")
        for tone in Tone
    }
    assert "Ada, Ben or Chidi" in shown["en-US", Tone.SUPPORTIVE].body
    assert "Ada, Ben or Chidi" not in shown["en-US", Tone.FORMAL].body
    assert shown["en-US", Tone.SHORT].subject == "Card ending in 4242: new one needed by September 2027"
    assert shown["de-AT", Tone.SUPPORTIVE].body.startswith("Grüß Gott,")
    assert shown["de-DE", Tone.SUPPORTIVE].body.startswith("Guten Tag,")
    for command in shown.values():
        assert "https://billing.example.com/card?customer=sample" in command.body
        assert 'href="https://billing.example.com/card?customer=sample"' in (command.html_body or "")


def test_a_loyalty_discount_keeps_to_its_budget() -> None:
    loaded = load(POLICIES / "loyalty-discount.yaml")
    assert loaded.warnings == ()
    held, offers = totals_of(loaded.policy), []
    customer = Customer(loaded.policy, content=loaded.content)
    for amount in (20_000, 20_000, 4_960_010, 20_000):  # ten percent of the third is more than is left
        customer = Customer(loaded.policy, content=loaded.content)
        customer.profile(NOW, marketing_consent=True)
        customer.renewing(NOW, NOW + 40 * DAY, amount=amount, interval="year")
        # All of the total is at hand here: what is not is spent.
        customer.stock = Stock(held, dict.fromkeys(held, 1))
        customer.until(NOW + 40 * DAY)
        assert customer.step_ids == ["renewal_30", "renewal_7", "renewal_1"]
        offers.append([each.offer for each in customer.sent])
        held = dict(customer.stock.held)
    made, plain = ["loyalty", None, None], [None] * 3
    assert offers == [made, made, plain, made]
    assert held == {"loyalty": 497, "loyalty/USD": 494_000, "loyalty/EUR": 500_000}
    message = customer.sent[0]
    assert message.purpose == "marketing"
    assert "10% off this renewal ($180.00 instead of $200.00), until March 26, 2026" in message.body


@pytest.mark.parametrize(
    ("name", "offer", "words"),
    [
        ("neither", None, "for $100.00 per year"),
        ("discount", "early_renewal", "$95.00"),
        ("upgrade", "upgrade", "80%"),
    ],
)
def test_a_discount_is_compared_with_an_upgrade(name: str, offer: str | None, words: str) -> None:
    loaded = load(POLICIES / "test-a-discount-against-an-upgrade.yaml")
    assert loaded.warnings == ()
    customer = Customer(in_arm(loaded.policy, name), content=loaded.content)
    profile = replace(tagged(NOW, ()), customer_since=NOW - timedelta(days=200), marketing_consent=True)
    customer.tell(profile)
    customer.renewing(NOW, NOW + 40 * DAY, amount=10_000, interval="year")
    customer.until(NOW + 41 * DAY)
    assert customer.step_ids == ["renewal_30", "renewal_7", "renewal_1"]
    assert [each.offer for each in customer.sent] == [offer, None, None]
    assert words in customer.sent[0].body


def in_arm(policy: Policy, name: str) -> Policy:
    """The policy with a salt that deals this customer to the arm of its experiment."""
    (experiment,) = policy.experiments
    salted = (replace(experiment, salt=str(number)) for number in range(100))
    dealt = next(each for each in salted if (arm := arm_for(each, CUSTOMER)) and arm.name == name)
    return replace(policy, experiments=(dealt,))


def test_every_page_has_its_file() -> None:
    for page in sorted((REPOSITORY / "docs" / "tasks").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        names = [path.name for path in POLICIES.glob("*.yaml") if f"examples/policies/{path.name}" in text]
        assert names, f"{page.name} names no policy of {POLICIES}"
