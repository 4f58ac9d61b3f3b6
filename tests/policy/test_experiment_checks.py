"""What is wrong with an experiment is told by its path, and each arm has to be a sound policy by itself."""

from pathlib import Path
from typing import Any

import pytest

from streams.policy import LoadedPolicy, load

from .conftest import Problems
from .test_checks import put

ARMS = "experiments[0].arms"
REMINDERS = "experiments[1].arms"
EXPERIMENTS: list[dict[str, Any]] = [
    {
        "name": "words",
        "subject": "case",
        "segments": ["new"],
        "arms": [
            {"name": "control", "holdout": True},
            {"name": "short", "tone": "short", "templates": {"payment_failed": "payment_failed"}},
            {"name": "evening", "contact_hour": "18:00"},
        ],
    },
    {
        "name": "reminders",
        "subject": "renewal",
        "arms": [{"name": "email"}, {"name": "sms", "channels": {"renewal_7": ["sms", "email"]}}],
    },
    {
        "name": "cards",
        "subject": "card",
        "arms": [{"name": "silent", "holdout": True, "silence": "card"}, {"name": "short", "tone": "short"}],
    },
]


@pytest.fixture
def document(document: dict[str, Any]) -> dict[str, Any]:
    document["experiments"] = [{**each, "arms": [{**arm} for arm in each["arms"]]} for each in EXPERIMENTS]
    return document


def test_sound_experiments_are_sound(document: dict[str, Any], problems_of: Problems) -> None:
    assert problems_of(document) == {}


@pytest.mark.parametrize(
    ("change", "value", "path", "words"),
    [
        ("experiments[0].subject", "invoice", "experiments[0].subject", "known: "),
        ("experiments[0].name", "Words", "experiments[0].name", "40 characters"),
        ("experiments[0].starts_on", "soon", "experiments[0].starts_on", "is not a date"),
        ("experiments[0].minimum_effect", 5, "experiments[0].minimum_effect", "at most 0.5"),
        (f"{ARMS}[1].hour", "18:00", f"{ARMS}[1].hour", "is not a setting"),
        (ARMS, [], ARMS, "is empty"),
        ("experiments[1].name", "words", "experiments[1].name", "stands twice"),
        ("experiments[0].segments", ["neww"], "experiments[0].segments[0]", "did you mean `new`"),
        (ARMS, [{"name": "control"}], ARMS, "compares nothing"),
        (f"{ARMS}[2]", {"name": "short", "tone": "formal"}, f"{ARMS}[2].name", "stands twice"),
        (f"{ARMS}[2].holdout", True, f"{ARMS}[2].holdout", "second holdout"),
        (f"{ARMS}[0].tone", "formal", f"{ARMS}[0].tone", "a holdout has none"),
        (f"{ARMS}[2]", {"name": "same"}, f"{ARMS}[2]", "changes nothing"),
        (f"{ARMS}[1].campaign", "standrad", f"{ARMS}[1].campaign", "did you mean `standard`"),
        (f"{ARMS}[1].channels", {"d3_email": ["sms"]}, f"{ARMS}[1].channels", "cannot be changed"),
        (f"{ARMS}[0].silence", "renewal", f"{ARMS}[0].silence", "`subject` is `case`"),
        (f"{ARMS}[2].contact_hour", "22:00", f"{ARMS}[2].contact_hour", "waits for its hours"),
        (f"{ARMS}[1].templates", {"payment_fail": "x"}, f"{ARMS}[1].templates.payment_fail", "did you mean"),
        (
            f"{ARMS}[1].templates",
            {"payment_failed": "blunt"},
            f"{ARMS}[1].templates.payment_failed",
            "no `blunt_",
        ),
        (f"{REMINDERS}[1].campaign", "standard", f"{REMINDERS}[1].campaign", "cannot be changed"),
        (f"{REMINDERS}[1].silence", "renewal", f"{REMINDERS}[1].silence", "is for a holdout"),
        (
            f"{REMINDERS}[1].channels",
            {"renewal_8": ["sms"]},
            f"{REMINDERS}[1].channels.renewal_8",
            "did you mean",
        ),
        (f"{REMINDERS}[1].channels", {"renewal_7": []}, f"{REMINDERS}[1].channels.renewal_7", "is empty"),
        (f"{REMINDERS}[1].offer", "loyal", f"{REMINDERS}[1].offer", "did you mean `loyalty`"),
        (f"{REMINDERS}[1].offer", "loyalty", f"{REMINDERS}[1].offer", "is made to nobody"),
        (f"{ARMS}[1].offer", "loyalty", f"{ARMS}[1].offer", "cannot be changed"),
        ("experiments[2].arms[0].silence", "offer", "experiments[2].arms[0].silence", "`subject` is `card`"),
        ("memory.experiments", 2, "experiments", "`memory.experiments` is 2"),
    ],
)
def test_each_mistake_is_named(
    document: dict[str, Any], problems_of: Problems, *, change: str, value: Any, path: str, words: str
) -> None:
    put(document, change, value)
    problems = problems_of(document)
    assert path in problems, problems
    assert words in str(problems[path])


def test_an_experiment_ends_after_it_starts(document: dict[str, Any], problems_of: Problems) -> None:
    document["experiments"][0] |= {"starts_on": "2026-03-02", "ends_on": "2026-03-01"}
    assert "2026-03-02" in str(problems_of(document)["experiments[0].ends_on"])


def test_a_holdout_is_not_silenced_where_a_rule_asks_for_a_reminder(
    document: dict[str, Any], problems_of: Problems
) -> None:
    put(document, f"{REMINDERS}[0]", {"name": "silent", "holdout": True, "silence": "renewal"})
    (problem,) = problems_of(document).values()
    assert problem.path == f"{REMINDERS}[0]"
    assert "in this arm, `renewals.reminders`: cannot meet" in problem.message
    # Where no such rule is named, it may be.
    document["compliance"] = {"networks": [], "jurisdictions": []}
    assert problems_of(document) == {}


def test_a_reminder_that_a_rule_asks_for_is_not_moved_to_a_channel_that_does_not_count(
    document: dict[str, Any], problems_of: Problems
) -> None:
    put(document, f"{REMINDERS}[1].channels", {"renewal_7": ["phone"]})
    assert "Visa" in str(problems_of(document)[f"{REMINDERS}[1]"])


@pytest.mark.parametrize(
    ("more", "is_wrong"),
    [({}, True), ({"segments": ["loyal"]}, False), ({"starts_on": "2026-05-01"}, False)],
)
def test_two_experiments_do_not_change_the_same_of_the_same_customers(
    document: dict[str, Any], problems_of: Problems, more: dict[str, Any], *, is_wrong: bool
) -> None:
    document["experiments"][0]["ends_on"] = "2026-04-30"
    arms = [{"name": "kind", "tone": "supportive"}, {"name": "formal", "tone": "formal"}]
    document["experiments"].append({"name": "again", "subject": "case", "arms": arms, **more})
    problems = problems_of(document)
    assert ("experiments[3]" in problems) is is_wrong
    if is_wrong:
        assert "both change `tone`" in problems["experiments[3]"].message


def test_what_an_arm_uses_is_used(tmp_path: Path, care: LoadedPolicy) -> None:
    """A campaign and a template that only an arm names are no leftovers."""
    text = care.document["content"]["en"]["renewal_upcoming"]
    assert set(text) >= {"email", "sms"}
    path = tmp_path / "policy.yaml"
    path.write_text(
        """
extends: care
name: trial
campaigns:
  brief:
    ladder:
      - {id: brief_d0, day: 0, channels: [email], template: payment_failed}
content:
  en:
    renewal_soon:
"""
        + "".join(
            f"      {channel}: {{body: 'Soon', subject: 'Soon'}}\n"
            if channel in {"email", "push", "letter"}
            else f"      {channel}: {{body: 'Soon'}}\n"
            for channel in text
        )
        + """
experiments:
  - name: words
    subject: renewal
    arms: [{name: as_is}, {name: soon, templates: {renewal_upcoming: renewal_soon}}]
  - name: ladder
    subject: case
    arms: [{name: as_is}, {name: brief, campaign: brief}]
"""
    )
    loaded = load(path)
    told = [warning.path for warning in loaded.warnings]
    assert "campaigns.brief" not in told
    assert "content.en.renewal_soon" not in told
