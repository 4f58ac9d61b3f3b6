"""A policy that cannot meet a network's or a jurisdiction's window is refused with the reason."""

from datetime import date
from typing import Any

import pytest

from streams.policy import LoadedPolicy, PolicyError
from streams.policy.compliance import compliance_problems, compliance_windows
from streams.policy.documents import Document
from streams.policy.loading import from_document

ALL_KNOWN = {
    "visa_trial_end",
    "mastercard_trial_end",
    "mastercard_long_term",
    "california_yearly_term",
    "california_trial_end",
    "california_price_change",
}


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
    assert {window.id for window in compliance_windows()} == ALL_KNOWN
    assert list(compliance_problems(care.policy)) == []
    assert list(compliance_problems(care.policy, date(2030, 1, 1))) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ALL_KNOWN),
        ([(1, [])], ALL_KNOWN),
        ([(30, ["year"]), (6, [])], {"visa_trial_end", "california_price_change"}),
        ([(14, []), (3, [])], {"california_yearly_term"}),
        ([(46, ["year"]), (7, [])], {"california_yearly_term"}),
        ([(45, ["year"]), (7, [])], set()),
        ([(15, ["year"]), (7, [])], set()),
        ([(30, ["year"]), (8, [])], {"mastercard_trial_end"}),
        ([(30, ["year"]), (7, ["year", "quarter", "month"])], ALL_KNOWN - {"mastercard_long_term"}),
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
    assert missed(document) == ALL_KNOWN
    document["renewals"]["reminders"] = reminders((30, ["year"]), (7, []), channel="letter")
    assert missed(document) == {"visa_trial_end", "mastercard_trial_end", "mastercard_long_term"}


def test_the_refusal_names_who_asks_for_what(document: dict[str, Any]) -> None:
    document["renewals"]["reminders"] = reminders((14, []), (7, []))
    with pytest.raises(PolicyError) as caught:
        from_document(Document("test", document))
    (problem,) = caught.value.problems
    assert problem.path == "renewals.reminders"
    assert "California's window `california_yearly_term` for terms of a year" in problem.message
    assert problem.hint.startswith("add a reminder 15 to 45 days before, by one of email")


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (date(2020, 4, 17), set()),
        (date(2020, 4, 18), {"visa_trial_end"}),
        (date(2022, 7, 1), {"visa_trial_end", "california_yearly_term", "california_trial_end"}),
        (date(2025, 6, 30), ALL_KNOWN - {"california_price_change"}),
        (date(2025, 7, 1), ALL_KNOWN),
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
