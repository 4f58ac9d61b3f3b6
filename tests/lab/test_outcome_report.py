"""Rates, medians and sums, worked out by hand; and a page that needs nothing but itself."""

import re
from html.parser import HTMLParser

import pytest

from streams.dunning.measures import About, Counts, Group
from streams.lab.outcome_page import outcome_page
from streams.lab.outcome_report import Attribution, CurvePoint, outcome_report

EMAIL = Group(About.DEBT, "standard", "d0_email", "email", "failed_soft", "loyal", "de", ("tone:a",))
SMS = Group(About.DEBT, "standard", "d5_sms", "sms", "failed_soft", "new", "en", ("tone:b", "wait:long"))
LOYAL = Group(About.DEBT, "standard", segment="loyal", locale="de", arms=("tone:a",))
NEW = Group(About.DEBT, "standard", segment="new", locale="en", arms=("tone:b", "wait:long"))
RENEWAL = Group(About.RENEWAL, segment="loyal", locale="de")
COUNTS: Counts = {
    EMAIL: {
        "sent": 10,
        "delivered": 8,
        "bounced": 2,
        "opened": 4,
        "responded": 2,
        "paid_last": 1,
        "paid_any": 3,
        "minutes_last": 90,
        "minutes_any": 6_000,
        "day_last:0": 1,
        "day_any:0": 1,
        "day_any:2": 1,
        "day_any:10": 1,
        "amount_last:EUR": 1_000,
        "amount_any:EUR": 3_000,
    },
    SMS: {"sent": 4, "sent_hours": 4 * 114, "paid_last": 2, "paid_any": 2, "amount_last:USD": 500},
    LOYAL: {
        "cases": 5,
        "failed": 6,
        "failed_amount:EUR": 6_000,
        "settled:paid": 3,
        "settled:cancelled": 1,
        "paid_amount:EUR": 3_000,
        "paid_day:0": 1,
        "paid_day:2": 2,
        "closed:paid": 3,
        "suspended": 1,
    },
    NEW: {"cases": 2, "failed": 2, "settled:paid": 1, "paid_day:3": 1, "paid_uncontacted": 1},
    RENEWAL: {
        "plans": 9,
        "ended:renewal_paid": 6,
        "ended:plan_ended": 2,
        "ended_reminded:renewal_paid": 3,
        "ended_reminded:plan_ended": 1,
    },
    Group(About.UNKNOWN, channel="email"): {"unmatched": 7},
}


def test_rates_are_of_the_contacts_that_did_not_bounce() -> None:
    email, sms = outcome_report(COUNTS, ("step",)).contacts
    assert email.by == {"step": "d0_email"}
    assert (email.open_rate, email.response_rate, email.payment_rate) == (0.5, 0.25, 0.125)
    assert email.mean_hours_to_payment == 1.5
    assert (sms.open_rate, sms.payment_rate) == (0.0, 0.5)
    assert sms.mean_day == 4.75


def test_the_attribution_chooses_payments_times_and_amounts() -> None:
    last, any_ = (outcome_report(COUNTS, ("step",), each).contacts[0] for each in Attribution)
    assert (last.paid, last.median_days_to_payment, last.amount_minor) == (1, 0, {"EUR": 1_000})
    assert (any_.paid, any_.median_days_to_payment, any_.amount_minor) == (3, 2, {"EUR": 3_000})


def test_debts_are_counted_by_what_is_of_cases() -> None:
    loyal, new = outcome_report(COUNTS, ("segment", "channel")).cases
    assert loyal.by == {"segment": "loyal"}
    assert (loyal.failed, loyal.paid, loyal.open, loyal.recovery_rate) == (6, 3, 2, 0.5)
    assert (loyal.failed_minor, loyal.paid_minor) == ({"EUR": 6_000}, {"EUR": 3_000})
    assert loyal.median_days_to_payment == 2
    assert (new.paid_uncontacted, new.suspended) == (1, 0)


def test_the_whole_is_the_sum_of_its_parts() -> None:
    whole = outcome_report(COUNTS, ())
    for by in ("campaign", "channel", "segment", "locale"):
        parts = outcome_report(COUNTS, (by,))
        assert sum(row.sent for row in parts.contacts) == whole.contacts[0].sent == 14
        assert sum(row.failed for row in parts.cases) == whole.cases[0].failed == 8


def test_somebody_in_two_experiments_is_in_the_row_of_each_arm() -> None:
    rows = {row.by["arm"]: row.sent for row in outcome_report(COUNTS, ("arm",)).contacts}
    assert rows == {"tone:a": 10, "tone:b": 4, "wait:long": 4}


def test_the_renewal_rate_is_of_those_that_ended() -> None:
    (row,) = outcome_report(COUNTS, ("about",)).plans
    assert (row.plans, row.renewal_rate, row.renewal_rate_reminded) == (9, 0.75, 0.75)


def test_the_recovery_curve_adds_up_by_day() -> None:
    assert outcome_report(COUNTS, ()).recovery_curve == (
        CurvePoint(0, 1, 0.125),
        CurvePoint(1, 1, 0.125),
        CurvePoint(2, 3, 0.375),
        CurvePoint(3, 4, 0.5),
    )


def test_steps_stand_in_the_order_of_the_ladder() -> None:
    late = Group(About.DEBT, "standard", "a_call", "phone")
    counts: Counts = {late: {"sent": 1, "sent_hours": 21 * 24}, **COUNTS}
    assert [row.by["step"] for row in outcome_report(counts, ("step",)).contacts] == [
        "d0_email",
        "d5_sms",
        "a_call",
    ]


def test_a_report_on_nothing_is_empty() -> None:
    empty = outcome_report({}, ("step",))
    assert (empty.contacts, empty.cases, empty.plans, empty.recovery_curve) == ((), (), (), ())
    assert "No invoice has failed yet" in page({})


# The page.


def page(counts: Counts, by: tuple[str, ...] = ("about", "step")) -> str:
    return outcome_page(counts, outcome_report(counts, by), source="a test", made="today")


class Elements(HTMLParser):
    """Which elements are open at the end, and all attributes on the way."""

    VOID = frozenset({"meta", "line", "rect", "path"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    text = page(COUNTS)
    elements = Elements(text)
    assert elements.open == []
    names = {name for name, _ in elements.attributes}
    assert not names & {"src", "href", "srcset", "action", "data"}
    assert not [name for name in names if name.startswith("on")]
    assert not re.search(r"https?:|//|url\(|@import|<script|<link|<iframe", text)
    assert len(elements.ids) == len(set(elements.ids))


def test_every_plot_has_a_name_and_says_its_numbers() -> None:
    text = page(COUNTS)
    for plot in ("curve", "ladder"):
        assert f'aria-labelledby="{plot}-title {plot}-text"' in text
        assert f'<title id="{plot}-title">' in text
        assert f'<desc id="{plot}-text">' in text
    assert "d0_email: 10 sent, 4 opened, 2 responded, 1 paid." in text
    assert "3 of 6 paid" in text
    assert "prefers-color-scheme:dark" in text
    assert "@media print" in text


def test_names_are_escaped() -> None:
    counts: Counts = {Group(About.DEBT, "<b>", "<i>", "email"): {"sent": 1}}
    text = page(counts, ("campaign", "step"))
    assert "<b>" not in text
    assert "&lt;b&gt;" in text


@pytest.mark.parametrize("segments", [1, 12])
def test_a_plot_has_as_many_lines_as_can_be_told_apart(segments: int) -> None:
    counts: Counts = {
        Group(About.DEBT, "standard", segment=f"s{number}"): {"failed": 10 + number, "paid_day:1": 5}
        for number in range(segments)
    }
    drawn = len(re.findall(r'class="curve s\d" d="M\d', page(counts)))
    legend = len(re.findall(r'class="curve s\d" d="M0 5H34"', page(counts)))
    assert legend == drawn - legend == (1 if segments == 1 else 6)
