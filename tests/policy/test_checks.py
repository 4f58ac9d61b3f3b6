"""Everything that is wrong with a policy is told at once, by its path, in words."""

from pathlib import Path
from typing import Any

import pytest

from streams.policy import PolicyError, load
from streams.policy.documents import Document
from streams.policy.loading import from_document

from .conftest import Problems

LADDER = "campaigns.standard.ladder"


def put(document: dict[str, Any], path: str, value: Any) -> None:
    """Set (or with `...` remove) the value at a dotted path."""
    parts = [int(part[1:-1]) if part.startswith("[") else part for part in path.replace("[", ".[").split(".")]
    *parents, last = parts
    target: Any = document
    for parent in parents:
        target = target[parent]
    if value is ...:
        del target[last]
    else:
        target[last] = value


@pytest.mark.parametrize(
    ("change", "value", "path", "words"),
    [
        # The schema's.
        ("laddder", 1, "laddder", "is not a setting"),
        ("version", "abc", "version", "is not a setting"),
        ("extends", "care", "extends", "is not a setting"),
        ("suspension.notce", "P7D", "suspension.notce", "did you mean `notice`"),
        (f"{LADDER}[3].day", "soon", f"{LADDER}[3].day", "is `soon`, and should be a whole number"),
        (f"{LADDER}[3].day", -1, f"{LADDER}[3].day", "at least 0"),
        (f"{LADDER}[3].action", "notfy", f"{LADDER}[3].action", "did you mean `notify`"),
        (f"{LADDER}[3].channels", ["fax"], f"{LADDER}[3].channels[0]", "known: email"),
        (f"{LADDER}[3].id", ..., f"{LADDER}[3].id", "is missing"),
        (LADDER, [], LADDER, "is empty"),
        ("messages.apology", ..., "messages.apology", "is missing"),
        ("name", ..., "name", "is missing"),
        ("name", "Care!", "name", "does not fit"),
        ("content", ..., "content", "is missing"),
        ("hold_after_promise", "3 days", "hold_after_promise", "is not a duration"),
        ("hold_after_promise", 3, "hold_after_promise", "put it in quotes"),
        ("contact_hour", "9am", "contact_hour", "HH:MM, like 09:00"),
        ("assume_delivered_after.sms", "nver", "assume_delivered_after.sms", "not a duration"),
        ("assume_delivered_after.fax", "P1D", "assume_delivered_after.fax", "is not known here"),
        ("windows.fax", {"opens": "08:00", "closes": "09:00"}, "windows.fax", "is not known here"),
        ("minimum_amount.usd", 100, "minimum_amount.usd", "ISO 4217"),
        ("zones.usa", "UTC", "zones.usa", "ISO 3166"),
        ("declines.visa.51", "sofft", "declines.visa.51", "did you mean `soft`"),
        ("budget.per_day", 0, "budget.per_day", "at least 1"),
        ("content.en.final_notice.fax", {"body": "x"}, "content.en.final_notice.fax", "is not known here"),
        ("content.en.final_notice.sms", {}, "content.en.final_notice.sms.body", "is missing"),
        ("call_sheet.contacts", 65, "call_sheet.contacts", "at most 64"),
        ("preferable_channels", ["sms", "sms"], "preferable_channels[1]", "stands twice"),
        ("bring_call_forward.after", "-P1D", "bring_call_forward.after", "is not positive"),
        ("bring_call_forward.reports", ["clicked"], "bring_call_forward.reports[0]", "known: "),
        ("hold_after_reply", "-P1D", "hold_after_reply", "is not positive"),
        # Words of replies.
        ("reply_words.opt_out.xx-y", ["BASTA"], "reply_words.opt_out.xx-y", "is not a language"),
        ("reply_words.opt_out.en", ["!!"], "reply_words.opt_out.en[0]", "has no letter"),
        ("reply_words.opt_in.es", ["Baja."], "reply_words.opt_in.es[0]", "stands in `opt_out` too"),
        ("reply_words.opt_out_of_all.en", ["stop"], "reply_words.opt_out_of_all.en[0]", "keep one of them"),
        # The ladder's.
        (f"{LADDER}[1].id", "d0_email", f"{LADDER}[1].id", "is taken by campaigns.standard.ladder[0].id"),
        ("cards.reminders[0].id", "d0_email", "cards.reminders[0].id", "is taken by"),
        ("renewals.reminders[0].id", "card_60", "renewals.reminders[0].id", "is taken by"),
        (f"{LADDER}[1].day", 6, f"{LADDER}[2].day", "order the ladder by day"),
        (f"{LADDER}[0].day", 1, f"{LADDER}[0].day", "the first contact is at once"),
        (f"{LADDER}[0].channels", ["sms"], f"{LADDER}[0].channels[0]", "email, in_app, letter"),
        (f"{LADDER}[0].action", "final_notice", f"{LADDER}[0].action", "the first step notifies"),
        (f"{LADDER}[0].channels", [], f"{LADDER}[0].channels", "is empty"),
        (f"{LADDER}[0].channels", ["email", "email"], f"{LADDER}[0].channels[1]", "stands twice"),
        (f"{LADDER}[0].template", ..., f"{LADDER}[0].template", "is missing"),
        (f"{LADDER}[7].action", "suspend", f"{LADDER}[8]", "second suspension"),
        (f"{LADDER}[7].action", "notify", f"{LADDER}[8]", "suspends without a final notice"),
        (f"{LADDER}[8].day", 59, f"{LADDER}[8].day", "6 days after the final notice"),
        ("suspension.notice", "P8D", f"{LADDER}[8].day", "asks for 8"),
        (f"{LADDER}[8].channels", ["email"], f"{LADDER}[8].channels", "uses no channel"),
        (f"{LADDER}[8].template", "final_notice", f"{LADDER}[8].template", "sends no message"),
        ("default_campaign", "standrad", "default_campaign", "did you mean `standard`"),
        # Segments.
        ("segments[2].campaign", "standrad", "segments[2].campaign", "did you mean `standard`"),
        ("segments[2].name", "new", "segments[2].name", "stands twice"),
        ("segments[2].when", {}, "segments[3]", "`at_risk` before it takes all"),
        ("segments[2].when", {"tenure_less_than": "P30D"}, "segments[2]", "`new` before it takes all"),
        ("segments[2].when.risk_less_than", 40, "segments[2].when", "takes nobody"),
        ("segments[2].when.countries", ["QQ"], "segments[2].when.countries[0]", "is not a country"),
        ("segments[2].when.tags", ["x" * 41], "segments[2].when.tags[0]", "longer than any tag"),
        ("segments[2].when.value_at_least", {"XQQ": 1}, "segments[2].when.value_at_least.XQQ", "currency"),
        ("segments[2].when.no_case_for", "P0D", "segments[2].when.no_case_for", "is not positive"),
        ("segments[2].when.cases_at_least", 1001, "segments[2].when.cases_at_least", "takes nobody"),
        ("segments[2].tone", "harsh", "segments[2].tone", "known: "),
        ("segments[2].offers", ["gift"], "segments[2].offers[0]", "there is no offer `gift`"),
        (
            "cards.reminders[0].segments",
            ["at_rsk"],
            "cards.reminders[0].segments[0]",
            "did you mean `at_risk`",
        ),
        (
            "renewals.reminders[0].minimum_amount",
            {"XQQ": 1},
            "renewals.reminders[0].minimum_amount.XQQ",
            "curr",
        ),
        ("history.halved_every", "P0D", "history.halved_every", "is not positive"),
        ("risk.complaints.points", 101, "risk.complaints.points", "at most 100"),
        # Reminders, durations, zones, hours, limits.
        ("cards.reminders[2].days_before", 61, "cards.reminders[2].days_before", "order the reminders"),
        ("review_after", "P0D", "review_after", "is not positive"),
        ("hold_after_promise", "-P1D", "hold_after_promise", "is not positive"),
        ("assume_delivered_after.sms", "-P1D", "assume_delivered_after.sms", "is negative"),
        ("assume_delivered_after.push", ..., "assume_delivered_after.push", "is missing"),
        ("suspension.notice_valid_for", "P6D", "suspension.notice_valid_for", "shorter"),
        ("promise_without_date", "P46D", "promise_without_date", "longer"),
        ("default_zone", "Amerika/New_York", "default_zone", "did you mean `America/New_York`"),
        ("default_zone", "../../etc/passwd", "default_zone", "is not an IANA time zone"),
        ("zones.NO", "Europe/Osló", "zones.NO", "did you mean `Europe/Oslo`"),
        ("zones.QQ", "UTC", "zones.QQ", "is not a country"),
        ("windows.sms.opens", "21:00", "windows.sms", "opens at 21:00 and closes at 21:00"),
        ("windows.sms.exceptions[0].closes", "07:00", "windows.sms.exceptions[0]", "before it closes"),
        ("windows.sms.exceptions[0].closes", ..., "windows.sms.exceptions[0]", "changes nothing"),
        ("windows.sms.exceptions[0].country", "QQ", "windows.sms.exceptions[0].country", "not a country"),
        ("channel_order", [], "channel_order", "is empty"),
        ("channel_order", ["email", "sms", "email"], "channel_order[2]", "stands twice"),
        ("priorities", ["failure", "offer"], "priorities", "lacks final_notice, authentication"),
        ("minimum_amount.XQQ", 1, "minimum_amount.XQQ", "is not a currency"),
        ("default_locale", "qqq", "default_locale", "is not a locale"),
        ("default_locale", "de", "default_locale", "there is no content in `de`"),
        ("declines.vendor.Expired", "hard", "declines.vendor.Expired", "looked up with `expired`"),
        ("declines.iso8583.1a", "hard", "declines.iso8583.1a", "looked up with `1A`"),
        ("budget.per_day", 4, "budget.per_day", "more than `per_seven_days`"),
        ("budget.calls_per_seven_days", 8, "budget.calls_per_seven_days", "12 CFR 1006.14"),
        ("suspension.channels", 3, "suspension.channels", "fewer contacts"),
        ("memory.contacts", 12, "memory.contacts", "at least 13"),
        # Content that a setting asks for.
        ("content.en.card_expiring", ..., "cards.reminders[0].template", "has no `card_expiring` in en"),
        ("content.en.payment_failed_hard.letter", ..., f"{LADDER}[0].template", "for letter"),
        (f"{LADDER}[1].template", "payment_fail", f"{LADDER}[1].template", "did you mean `payment_failed_"),
        ("messages.apology.template", "sorry", "messages.apology.template", "has no `sorry`"),
    ],
)
def test_each_problem_has_its_path_and_words(
    document: dict[str, Any], problems_of: Problems, *, change: str, value: Any, path: str, words: str
) -> None:
    put(document, change, value)
    problems = problems_of(document)
    assert path in problems, f"found: {problems}"
    assert words in str(problems[path])


def test_the_shipped_policy_has_none(document: dict[str, Any], problems_of: Problems) -> None:
    assert problems_of(document) == {}


def test_problems_of_every_sort_are_told_at_once(document: dict[str, Any], problems_of: Problems) -> None:
    for change, value in [
        ("laddder", 1),
        ("suspension.notce", "P1D"),
        ("windows.sms.opens", "25:00"),
        (f"{LADDER}[8].day", 59),
        ("default_zone", "Nowhere"),
        ("renewals.reminders", []),
        ("content.en.final_notice.sms.body", "{{ suspenson_date }}"),
    ]:
        put(document, change, value)
    assert set(problems_of(document)) == {
        "laddder",
        "suspension.notce",
        "windows.sms.opens",
        f"{LADDER}[8].day",
        "default_zone",
        "renewals.reminders",
        "content.en.final_notice.sms.body",
    }


def test_a_broken_part_does_not_make_other_parts_look_broken(
    document: dict[str, Any], problems_of: Problems
) -> None:
    document["content"]["en"]["my_words_soft"] = document["content"]["en"].pop("payment_failed_soft")
    document["content"]["en"]["my_words_hard"] = document["content"]["en"].pop("payment_failed_hard")
    document["content"]["en"]["my_words_authentication"] = document["content"]["en"].pop(
        "payment_failed_authentication"
    )
    for step in document["campaigns"]["standard"]["ladder"]:
        if step.get("template") == "payment_failed":
            step["template"] = "my_words"
    assert problems_of(document) == {}
    document["content"]["en"]["final_notice"]["sms"] = {"boddy": "x"}
    assert set(problems_of(document)) == {
        "content.en.final_notice.sms.body",
        "content.en.final_notice.sms.boddy",
    }
    put(document, f"{LADDER}[8].day", "late")
    assert set(problems_of(document)) == {
        f"{LADDER}[8].day",
        "content.en.final_notice.sms.body",
        "content.en.final_notice.sms.boddy",
    }


def test_a_problem_names_its_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("extends: care\nsuspension:\n  notice: P9D\n  notce: P1D\n")
    with pytest.raises(PolicyError) as caught:
        load(file)
    found = {problem.path: problem.location for problem in caught.value.problems}
    assert found["suspension.notce"] == f"{file}:4"
    file.write_text("extends: care\nsuspension:\n  notice: P9D\n")
    with pytest.raises(PolicyError) as caught:
        load(file)
    (problem,) = caught.value.problems
    assert problem.path == f"{LADDER}[8].day"
    assert problem.location.startswith("care/policy.yaml:")
    assert str(caught.value).startswith(f"{file}: 1 problem\n  {LADDER}[8].day: is 7 days after")


def test_nothing_but_a_name_says_what_else_it_takes(problems_of: Problems) -> None:
    assert set(problems_of({"name": "bare"})) == {
        "assume_delivered_after",
        "campaigns",
        "cards",
        "content",
        "messages",
        "renewals",
    }


def test_a_hasty_suspension_is_a_warning(document: dict[str, Any]) -> None:
    steps = document["campaigns"]["standard"]["ladder"]
    document["campaigns"]["standard"]["ladder"] = [steps[0], {**steps[7], "day": 3}, {**steps[8], "day": 10}]
    warnings = from_document(Document("test", document)).warnings
    assert [problem.path for problem in warnings] == [f"{LADDER}[2].day"]


def test_words_that_nothing_asks_for_are_a_warning(document: dict[str, Any]) -> None:
    document["content"]["en"]["final_notce"] = {"sms": {"body": "Hello"}}
    warnings = from_document(Document("test", document)).warnings
    assert [str(problem) for problem in warnings] == [
        "content.en.final_notce: is used by no step, message or reminder (did you mean `final_notice`?)"
    ]


@pytest.mark.parametrize(
    ("rule", "path", "message"),
    [
        ({"demand": "at_most", "most": 3}, "within", "is missing"),
        ({"demand": "at_most", "within": "P1D"}, "most", "is missing"),
        ({"demand": "at_most", "within": "PT0S", "most": 3}, "within", "is not positive"),
        ({"demand": "wait", "codes": ["51"]}, "wait", "is missing"),
        ({"demand": "wait", "wait": "P1D"}, "", "names no decline"),
        ({"demand": "never"}, "", "names no decline"),
        ({"demand": "never", "codes": ["04"], "wait": "P1D"}, "wait", "means nothing"),
        ({"demand": "at_most", "most": 3, "within": "P1D", "codes": ["51"]}, "", "a budget counts them all"),
        (
            {"demand": "never", "codes": ["04"], "effective_until": "2020-01-01"},
            "effective_until",
            "is not after",
        ),
    ],
)
def test_a_rule_about_retries_says_what_its_demand_needs(
    document: dict[str, Any], problems_of: Problems, rule: dict[str, Any], path: str, message: str
) -> None:
    said = {"network": "visa", "effective_from": "2020-01-01", "what": "A rule.", "source": "Ours."}
    document["retries"] = {"ours": {**said, **rule}}
    (problem,) = problems_of(document).values()
    assert problem.path == ".".join(["retries.ours", *([path] if path else [])])
    assert message in problem.message


def test_a_budget_of_retries_has_to_be_remembered(document: dict[str, Any], problems_of: Problems) -> None:
    document["memory"]["retries"] = 36
    (problem,) = problems_of(document).values()
    assert (problem.path, problem.hint) == ("memory.retries", "at least 37")
