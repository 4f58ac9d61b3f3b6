"""A policy that cannot meet a network's or a jurisdiction's window is refused with the reason."""

from datetime import date
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.dunning.events import Channel
from streams.policy import LoadedPolicy, PolicyError
from streams.policy.compliance import ComplianceWindow, common_windows, compliance_windows, contact_rules
from streams.policy.compliance_checks import compliance_problems
from streams.policy.documents import Document
from streams.policy.loading import from_document

from .conftest import Problems

BY_DEFAULT = {
    "visa_trial_end",
    "visa_price_change",
    "mastercard_trial_end",
    "mastercard_long_term",
    "california_yearly_term",
    "california_trial_end",
    "california_price_change",
}

VISAS = {"visa_trial_end", "visa_price_change"}


def reminders(*days: tuple[int, list[str]], channel: str = "email") -> list[dict[str, Any]]:
    return [
        {
            "id": f"renewal_{day}",
            "days_before": day,
            "intervals": intervals,
            "channels": [channel],
            "template": "renewal_upcoming",
        }
        for day, intervals in days
    ]


def missed(document: dict[str, Any], on: date | None = None) -> set[str]:
    """The windows that a document is refused for."""
    try:
        from_document(Document("test", document), on=on)
    except PolicyError as error:
        return {
            window.id
            for window in compliance_windows()
            for problem in error.problems
            if problem.path == "renewals.reminders" and f"`{window.id}`" in problem.message
        }
    return set()


def test_the_shipped_policy_meets_all_on_every_day(care: LoadedPolicy) -> None:
    assert {each.id for each in compliance_windows() if each.binds(care.policy.compliance)} == BY_DEFAULT
    assert list(compliance_problems(care.policy)) == []
    assert list(compliance_problems(care.policy, date(2030, 1, 1))) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], BY_DEFAULT),
        ([(1, [])], BY_DEFAULT),
        ([(30, ["year"]), (6, [])], {"visa_trial_end", "visa_price_change", "california_price_change"}),
        ([(14, []), (3, [])], {"california_yearly_term"}),
        ([(46, ["year"]), (7, [])], {"california_yearly_term"}),
        ([(45, ["year"]), (7, [])], set()),
        ([(15, ["year"]), (7, [])], set()),
        ([(30, ["year"]), (8, [])], {"mastercard_trial_end"}),
        ([(30, ["year"]), (7, ["year", "quarter", "month"])], BY_DEFAULT - {"mastercard_long_term"}),
    ],
)
def test_the_days_that_a_window_takes(
    document: dict[str, Any], given: list[tuple[int, list[str]]], expected: set[str]
) -> None:
    document["renewals"]["reminders"] = reminders(*given)
    if (7, ["year", "quarter", "month"]) in given:
        # A daily or weekly plan has trials and price changes too; yearly terms are served.
        expected = expected - {"california_yearly_term"}
    assert missed(document) == expected


def test_a_call_is_not_a_reminder_in_text(document: dict[str, Any]) -> None:
    document["renewals"]["reminders"] = reminders((30, ["year"]), (7, []), channel="phone")
    assert missed(document) == BY_DEFAULT
    document["renewals"]["reminders"] = reminders((30, ["year"]), (7, []), channel="letter")
    assert missed(document) == {each for each in BY_DEFAULT if not each.startswith("california_")}


def test_the_refusal_names_who_asks_for_what(document: dict[str, Any]) -> None:
    document["renewals"]["reminders"] = reminders((14, []), (7, []))
    with pytest.raises(PolicyError) as caught:
        from_document(Document("test", document))
    (problem,) = caught.value.problems
    assert problem.path == "renewals.reminders"
    assert "California's window `california_yearly_term` for terms of a year" in problem.message
    assert problem.hint.startswith("add a reminder 15 to 30 days before, by one of email")


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (date(2020, 4, 17), set()),
        (date(2020, 4, 18), VISAS),
        (date(2022, 7, 1), VISAS | {"california_yearly_term", "california_trial_end"}),
        (date(2025, 6, 30), BY_DEFAULT - {"california_price_change"}),
        (date(2025, 7, 1), BY_DEFAULT),
    ],
)
def test_a_window_holds_from_its_date(document: dict[str, Any], on: date, expected: set[str]) -> None:
    document["renewals"]["reminders"] = []
    assert missed(document, on) == expected


def test_every_window_names_its_source() -> None:
    for window in compliance_windows():
        assert window.source
        assert window.what.endswith(".")
        assert window.at_most_days is None or window.at_least_days <= window.at_most_days


# What satisfies several windows at once.


def test_the_hint_names_the_days_that_meet_all_at_once(document: dict[str, Any]) -> None:
    document["renewals"]["reminders"] = reminders((14, []), (3, []))
    with pytest.raises(PolicyError) as caught:
        from_document(Document("test", document))
    (problem,) = caught.value.problems
    assert problem.hint.startswith("add a reminder 15 to 30 days before, by one of email")
    assert problem.hint.endswith("which meets Mastercard as well")

    document["renewals"]["reminders"] = reminders((30, ["year"]), (8, []))
    with pytest.raises(PolicyError) as caught:
        from_document(Document("test", document))
    (problem,) = caught.value.problems
    assert problem.hint.startswith("add a reminder exactly 7 days before")
    assert problem.hint.endswith("which meets Visa and California as well")


def test_rules_that_contradict_are_named_with_the_days_of_each(document: dict[str, Any]) -> None:
    document["compliance"] = {"networks": ["mastercard"], "jurisdictions": ["FR"]}
    document["renewals"]["reminders"] = reminders((30, ["year"]), (7, []))
    with pytest.raises(PolicyError) as caught:
        from_document(Document("test", document))
    (problem,) = caught.value.problems
    assert "France's window `france_fixed_term`" in problem.message
    assert problem.hint.startswith("add a reminder 31 to 89 days before, by one of email, letter")
    assert "no one reminder meets all" in problem.hint
    assert "`mastercard_long_term` (7 to 30 days before) and `france_fixed_term` (31 to 89" in problem.hint

    document["renewals"]["reminders"] = reminders((35, ["year"]), (30, ["year"]), (7, []))
    assert from_document(Document("test", document)).warnings == ()


def test_what_a_policy_does_not_name_is_not_asked_of_it(document: dict[str, Any]) -> None:
    document["renewals"]["reminders"] = reminders((20, ["year"]), (7, []))
    assert missed(document) == set()
    document["compliance"]["jurisdictions"] = ["US", "US-CA", "US-IL"]
    assert missed(document) == {"illinois_yearly_term"}


def test_nothing_is_asked_of_a_policy_that_names_nobody(document: dict[str, Any]) -> None:
    document["compliance"] = {"networks": [], "jurisdictions": []}
    document["renewals"]["reminders"] = []
    assert missed(document) == set()


def test_a_name_that_no_rule_knows_is_refused(document: dict[str, Any], problems_of: Problems) -> None:
    document["compliance"] = {"networks": ["visa", "vsia"], "jurisdictions": ["US-XX"]}
    found = problems_of(document)
    assert set(found) == {"compliance.networks[1]", "compliance.jurisdictions[0]"}
    assert "known: " in found["compliance.networks[1]"].hint


def window(at_least: int, at_most: int | None, number: int = 0) -> ComplianceWindow:
    return replace(
        compliance_windows()[0], id=f"window_{number}", at_least_days=at_least, at_most_days=at_most
    )


SPANS = st.lists(
    st.tuples(st.integers(0, 40), st.none() | st.integers(0, 20)).map(
        lambda span: (span[0], None if span[1] is None else span[0] + span[1])
    ),
    max_size=6,
)


@given(SPANS)
def test_common_windows_satisfy_all_with_the_fewest_reminders(spans: list[tuple[int, int | None]]) -> None:
    windows = tuple(window(*span, number) for number, span in enumerate(spans))
    groups = common_windows(windows)
    assert sorted(each.id for group in groups for each in group.windows) == [each.id for each in windows]
    for group in groups:
        last = group.at_most_days
        for day in {group.at_least_days, 999 if last is None else last}:
            assert all(
                each.at_least_days <= day and (each.at_most_days is None or day <= each.at_most_days)
                for each in group.windows
            )
    # Of days that satisfy all there are no fewer: each group has a window that no other group's day meets.
    starts = {each.at_least_days for each in windows}
    fewest = next(
        count
        for count in range(len(windows) + 1)
        for days in combinations(sorted(starts), count)
        if all(
            any(
                each.at_least_days <= day and (each.at_most_days is None or day <= each.at_most_days)
                for day in days
            )
            for each in windows
        )
    )
    assert len(groups) == fewest


def test_channels_that_do_not_count_together_need_a_reminder_each() -> None:
    by_letter = replace(window(7, 30, 1), channels=(Channel.LETTER,))
    assert len(common_windows((window(7, 30), by_letter))) == 2


@pytest.mark.parametrize(
    ("only", "left"),
    [
        ({"segments": ["at_risk"]}, {"visa_trial_end", "visa_price_change"}),
        ({"minimum_amount": {"USD": 10_000}}, {"visa_trial_end", "visa_price_change"}),
        ({"follow_preference": True}, set()),
    ],
)
def test_a_reminder_that_is_not_for_everybody_meets_nothing(
    document: dict[str, Any], only: dict[str, Any], left: set[str]
) -> None:
    document["compliance"]["jurisdictions"] = []
    document["renewals"]["reminders"] = reminders((30, ["year"]), (7, []), (6, []))
    document["renewals"]["reminders"][1] |= only
    assert missed(document) == left


def test_a_preference_may_lead_away_from_writing(document: dict[str, Any]) -> None:
    document["compliance"]["jurisdictions"] = ["US-IL"]
    document["renewals"]["reminders"] = reminders((30, ["year"]), (7, []))
    document["renewals"]["reminders"][0]["follow_preference"] = True
    assert missed(document) == {"illinois_yearly_term"}
    document["preferable_channels"] = ["email"]
    assert missed(document) == set()


# Hours.


def test_hours_wider_than_a_named_places_are_warned_of(document: dict[str, Any]) -> None:
    document["compliance"]["jurisdictions"] = ["US", "US-CA", "US-FL", "US-CT"]
    (warning,) = from_document(Document("test", document)).warnings
    assert warning.path == "windows.phone"
    assert "08:00 to 21:00 in US-CT" in warning.message
    assert "Conn. Gen. Stat. 42-288a has 09:00 to 20:00; the law binds solicitations" in warning.message

    document["windows"]["phone"]["exceptions"].append(
        {"country": "US", "region": "CT", "opens": "09:00", "closes": "20:00"}
    )
    assert from_document(Document("test", document)).warnings == ()


def test_a_channel_without_hours_is_open_at_night(document: dict[str, Any]) -> None:
    del document["windows"]["sms"]
    warnings = from_document(Document("test", document)).warnings
    assert {warning.path for warning in warnings} == {"windows.sms"}


def test_every_rule_about_contacts_says_what_its_kind_needs() -> None:
    for rule in contact_rules():
        assert (rule.opens is not None) == (rule.closes is not None) == (rule.kind == "hours")
        assert (rule.most is not None) == (rule.within is not None) == (rule.kind == "frequency")
        assert rule.section
    everything = [rule.id for rule in (*contact_rules(), *compliance_windows())]
    assert len(everything) == len(set(everything))
