"""The shipped policy says what it is meant to say."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from streams.dunning.declines import classify
from streams.dunning.events import Channel, PaymentFailed
from streams.dunning.policy import DeclineClass
from streams.policy import LoadedPolicy, load, shipped_names


def test_it_loads_with_nothing_to_say_against_it(care: LoadedPolicy) -> None:
    assert care.warnings == ()
    assert care.policy.name == "care"
    assert shipped_names() == ("care",)
    assert len(care.version) == 16
    assert load("care").version == care.version


def test_its_ladder(care: LoadedPolicy) -> None:
    ladder = care.policy.campaigns["standard"].ladder
    assert [(step.day, step.action, [channel.value for channel in step.channels]) for step in ladder] == [
        (0, "notify", ["email"]),
        (3, "notify", ["email"]),
        (5, "notify", ["sms"]),
        (7, "notify", ["email"]),
        (14, "notify", ["email"]),
        (21, "notify", ["phone"]),
        (35, "notify", ["phone"]),
        (53, "final_notice", ["email", "letter"]),
        (60, "suspend", []),
    ]
    assert {step.id for step in ladder if step.only_if == "no_response"} == {"d21_phone", "d35_phone"}


def test_its_reminders(care: LoadedPolicy) -> None:
    cards, renewals = care.policy.cards.reminders, care.policy.renewals.reminders
    assert [each.days_before for each in cards if each.is_for_everyone] == [60, 30, 7]
    assert [(each.days_before, each.intervals) for each in renewals if each.is_for_everyone] == [
        (30, ("year",)),
        (7, ()),
        (1, ()),
    ]


def test_its_segments(care: LoadedPolicy) -> None:
    assert [segment.name for segment in care.policy.segments] == ["new", "loyal", "at_risk", "standard"]
    for room in (care.policy.cards, care.policy.renewals):
        assert [each.segments for each in room.reminders if not each.is_for_everyone] == [("at_risk",)]


def test_its_hours(care: LoadedPolicy) -> None:
    assert set(care.policy.windows) == {Channel.SMS, Channel.PHONE, Channel.PUSH}
    for channel, window in care.policy.windows.items():
        assert (window.opens, window.closes) == ("08:00", "21:00")
        (florida,) = window.exceptions
        assert (florida.country, florida.region, florida.closes) == ("US", "FL", "20:00")
        assert window.closed_on == (("sunday",) if channel is Channel.PHONE else ())


def test_its_waiting_times(care: LoadedPolicy) -> None:
    policy = care.policy
    assert policy.assume_delivered_after[Channel.LETTER] == timedelta(days=5)
    assert policy.assume_delivered_after[Channel.EMAIL] == timedelta(days=2)
    assert policy.hold_after_card_update == timedelta(days=3)
    assert policy.recent_response == timedelta(days=14)
    assert policy.suspension.notice == timedelta(days=7)


def test_one_unit_of_the_main_currencies_is_asked_for(care: LoadedPolicy) -> None:
    minimum = care.policy.minimum_amount
    assert {minimum[currency] for currency in ("USD", "EUR", "GBP", "CAD", "AUD")} == {100}


def test_every_country_has_a_zone(care: LoadedPolicy) -> None:
    zones = care.policy.zones
    assert len(zones) == 250
    assert zones["NO"] == "Europe/Oslo"
    assert zones["US"] == "America/New_York"
    assert zones["BR"] == "America/Sao_Paulo"
    assert all(ZoneInfo(zone) for zone in zones.values())


@pytest.mark.parametrize(
    ("code", "network", "advice", "expected"),
    [
        ("insufficient_funds", None, None, "soft"),
        ("51", "visa", None, "soft"),
        ("51", None, None, "soft"),
        ("05", "mastercard", None, "soft"),
        ("do_not_honor", None, None, "soft"),
        ("something_new", None, None, "soft"),
        (None, None, None, "soft"),
        ("expired_card", None, None, "hard"),
        ("54", "visa", None, "hard"),
        ("54", "amex", None, "hard"),
        ("14", None, None, "hard"),
        ("R1", "visa", None, "hard"),
        ("57", "visa", None, "hard"),
        ("57", "mastercard", None, "soft"),
        ("incorrect_cvc", None, None, "hard"),
        ("authentication_required", None, None, "authentication"),
        ("1A", "visa", None, "authentication"),
        ("1a", None, None, "authentication"),
        ("65", "mastercard", None, "authentication"),
        ("65", "visa", None, "soft"),
        ("65", None, None, "soft"),
        ("43", None, None, "fraud"),
        ("41", "visa", None, "fraud"),
        ("04", "visa", None, "fraud"),
        ("07", "discover", None, "fraud"),
        ("lost_card", None, None, "fraud"),
        ("STOLEN_CARD", None, None, "fraud"),
        ("pickup_card", None, None, "fraud"),
        ("fraudulent", None, None, "fraud"),
        ("merchant_blacklist", None, None, "fraud"),
        ("51", "mastercard", "03", "hard"),
        ("05", "mastercard", "21", "hard"),
        ("51", "mastercard", "24", "soft"),
        ("51", "mastercard", "02", "soft"),
        ("54", "mastercard", "02", "hard"),
    ],
)
def test_what_a_decline_means(
    care: LoadedPolicy, code: str | None, network: str | None, advice: str | None, expected: str
) -> None:
    event = PaymentFailed(
        event_id="e",
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
        customer_id="c",
        invoice_id="in_1",
        amount_minor=100,
        currency="USD",
        decline_code=code,
        network=network,
        advice_code=advice,
    )
    assert classify(event, care.policy).value == expected


def test_the_decline_tables_agree_where_no_rule_of_a_network_parts_them(care: LoadedPolicy) -> None:
    declines = care.policy.declines
    differing = {
        code
        for code, decline_class in declines["visa"].items()
        if declines["iso8583"].get(code, decline_class) != decline_class
    }
    assert differing == {"12", "57"}, "Visa's category 1: never to be tried again"


def test_what_is_never_to_be_retried_is_never_worded_as_to_be_retried(care: LoadedPolicy) -> None:
    declines = care.policy.declines
    for rule in care.policy.retries.values():
        if rule.demand != "never":
            continue
        for code in rule.codes:
            table = declines["vendor"] if code.islower() else declines[rule.network]
            assert table.get(code, DeclineClass.HARD) in {DeclineClass.HARD, DeclineClass.FRAUD}, code
        for advice in rule.advice_codes:
            assert declines["mastercard_advice"][advice] is DeclineClass.HARD


def test_every_rule_about_retries_names_its_source(care: LoadedPolicy) -> None:
    for rule in care.policy.retries.values():
        assert rule.what.strip()
        assert rule.source.strip()
