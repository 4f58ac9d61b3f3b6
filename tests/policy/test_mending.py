"""What the schema refuses hides nothing else, and nothing is told that only follows from it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.policy import PolicyError, load
from streams.policy.documents import find, read
from streams.policy.mending import mend
from streams.policy.schema_errors import schema_errors, schema_problems

from .conftest import Problems
from .test_checks import LADDER, put


@pytest.mark.parametrize("text", ["", "name: x\n", "# nothing yet\n"])
def test_what_is_missing_is_told_once_with_one_hint(tmp_path: Path, text: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(PolicyError) as caught:
        load(file)
    paths = [problem.path for problem in caught.value.problems]
    assert len(paths) == len(set(paths))
    assert {"campaigns", "content", "messages"} <= set(paths)
    assert str(caught.value).count("begin with `extends: care`") == 1


def test_one_leaf_does_not_hide_its_neighbours(document: dict[str, Any], problems_of: Problems) -> None:
    document["minimum_amount"] = {"USD": -5, "XXQ": 3}
    assert list(problems_of(document)) == ["minimum_amount.USD", "minimum_amount.XXQ"]


def test_one_channel_hides_nothing_of_the_campaigns(document: dict[str, Any], problems_of: Problems) -> None:
    put(document, f"{LADDER}[3].channels", ["pigeon", "email"])
    put(document, f"{LADDER}[2].id", "d0_email")
    put(document, f"{LADDER}[5].day", 3)
    put(document, f"{LADDER}[4].template", "unwritten")
    put(document, f"{LADDER}[7].action", "notify")
    found = problems_of(document)
    assert {
        f"{LADDER}[3].channels[0]",
        f"{LADDER}[2].id",
        f"{LADDER}[5].day",
        f"{LADDER}[4].template",
        f"{LADDER}[8]",
    } <= set(found)


@pytest.mark.parametrize(
    ("change", "value", "path"),
    [
        ("suspension.notce", "P7D", "suspension.notce"),
        (f"{LADDER}[3].day", "soon", f"{LADDER}[3].day"),
        (f"{LADDER}[0].day", -1, f"{LADDER}[0].day"),
        (f"{LADDER}[7].action", "finall", f"{LADDER}[7].action"),
        (f"{LADDER}[3].channels", ["fax"], f"{LADDER}[3].channels[0]"),
        (f"{LADDER}[0].channels", ["fax", "email"], f"{LADDER}[0].channels[0]"),
        (f"{LADDER}[3].id", 3, f"{LADDER}[3].id"),
        (f"{LADDER}[3]", "email", f"{LADDER}[3]"),
        (f"{LADDER}[7].template", 3, f"{LADDER}[7].template"),
        (LADDER, [], LADDER),
        ("campaigns.other", {"ladder": []}, "campaigns.other.ladder"),
        ("campaigns.standard", 3, "campaigns.standard"),
        ("cards.reminders[0].days_before", "sixty", "cards.reminders[0].days_before"),
        ("renewals.reminders[0].channels", ["fax"], "renewals.reminders[0].channels[0]"),
        ("renewals.reminders[0].days_before", ..., "renewals.reminders[0].days_before"),
        ("messages.apology", ..., "messages.apology"),
        ("messages", 3, "messages"),
        ("default_locale", 3, "default_locale"),
        ("default_locale", "xx", "default_locale"),
        ("default_campaign", 3, "default_campaign"),
        ("windows.sms.opens", "9am", "windows.sms.opens"),
        ("windows.sms.exceptions[0].closes", 9, "windows.sms.exceptions[0].closes"),
        ("budget", 3, "budget"),
        ("budget.per_day", 0, "budget.per_day"),
        ("content", ..., "content"),
        ("content.en", 3, "content.en"),
        ("content.en.final_notice", 3, "content.en.final_notice"),
        ("content.en.final_notice.sms", 3, "content.en.final_notice.sms"),
        ("content.en.final_notice.sms.body", 3, "content.en.final_notice.sms.body"),
    ],
)
def test_one_mistake_is_one_problem(
    document: dict[str, Any], problems_of: Problems, *, change: str, value: Any, path: str
) -> None:
    put(document, change, value)
    assert list(problems_of(document)) == [path]


def test_a_name_that_is_misspelt_is_not_missing_as_well(
    document: dict[str, Any], problems_of: Problems
) -> None:
    step = document["campaigns"]["standard"]["ladder"][1]
    step["tempalte"] = step.pop("template")
    assert list(problems_of(document)) == [f"{LADDER}[1].tempalte"]


_BASELINE = read(find("care")).values
# Fewer places, so that each has its turn.
_SMALL = {
    **_BASELINE,
    "content": {"en": {"final_notice": {"sms": {"body": "Pay."}}}},
    "zones": {"NO": "Europe/Oslo"},
    "minimum_amount": {"USD": 100},
    "declines": {"visa": {"51": "soft"}},
}


def _places(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [each for key, item in items for each in _places(item, (*place, key))]
    return [place, *below] if place else below


@given(st.data())
def test_whatever_is_broken_the_rest_can_be_read(data: st.DataObject) -> None:
    document = _SMALL
    mended = mend(document, document)
    assert mended.values == document
    place = data.draw(st.sampled_from(_places(document)))
    junk = data.draw(st.sampled_from([3, -1, "junk!", True, [], {}, [3], {"junk!": 3}]))
    broken = _with(document, place, junk)
    mended = mend(broken, document)
    assert schema_errors(mended.values) == []
    assert all(mended.hides(problem.path) for problem in schema_problems(broken))


def _with(value: Any, place: tuple[str | int, ...], junk: Any) -> Any:
    if not place:
        return junk
    copy = value.copy()
    copy[place[0]] = _with(value[place[0]], place[1:], junk)
    return copy
