"""Reading: strict YAML, directories, `extends`, and what is printed loads again."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.policy import LoadedPolicy, PolicyError, load
from streams.policy.documents import merge
from streams.policy.strict_yaml import dotted, dump, parse


@pytest.mark.parametrize("form", ["as_json", "as_yaml"])
def test_what_is_shown_loads_to_the_same_version(care: LoadedPolicy, tmp_path: Path, form: str) -> None:
    file = tmp_path / "policy"
    file.write_text(getattr(care, form)(), encoding="utf-8")
    again = load(file)
    assert again.version == care.version
    assert again.policy == care.policy
    assert again.document == care.document


def test_the_version_is_of_the_meaning_and_not_of_the_spelling(tmp_path: Path, care: LoadedPolicy) -> None:
    same = tmp_path / "same.yaml"
    same.write_text("extends: care\nhold_after_card_update: PT72H\nbudget: {per_day: 1}\n")
    other = tmp_path / "other.yaml"
    other.write_text("extends: care\nhold_after_card_update: P4D\n")
    assert load(same).version == care.version
    assert load(other).version != care.version


def test_a_change_of_one_word_is_another_version(tmp_path: Path, care: LoadedPolicy) -> None:
    file = tmp_path / "words.yaml"
    file.write_text("extends: care\ncontent: {en: {suspension_apology: {push: {subject: So sorry}}}}\n")
    assert load(file).version != care.version


def test_never_delivered_without_feedback(tmp_path: Path) -> None:
    file = tmp_path / "never.yaml"
    file.write_text("extends: care\nassume_delivered_after: {sms: never}\n")
    loaded = load(file)
    assert loaded.policy.assume_delivered_after["sms"] is None  # type: ignore[index]
    assert loaded.document["assume_delivered_after"]["sms"] == "never"


def test_extends_merges_maps_replaces_lists_and_removes_with_null(tmp_path: Path, care: LoadedPolicy) -> None:
    (tmp_path / "base.yaml").write_text(
        "extends: care\nname: base\nsuspension: {notice: P5D}\nchannel_order: [email, letter]\n"
    )
    nested = tmp_path / "nested"
    nested.mkdir()
    (nested / "top.yaml").write_text(
        "extends: ../base.yaml\nname: top\nwindows: {push: null}\nminimum_amount: {JPY: null, USD: 7}\n"
    )
    policy = load(nested / "top.yaml").policy
    assert policy.name == "top"
    assert policy.suspension.notice.days == 5
    assert policy.suspension.contacts == care.policy.suspension.contacts
    assert [channel.value for channel in policy.channel_order] == ["email", "letter"]
    assert {channel.value for channel in policy.windows} == {"sms", "phone"}
    assert "JPY" not in policy.minimum_amount
    assert policy.minimum_amount["USD"] == 7
    assert policy.minimum_amount["EUR"] == 100


def test_a_directory_may_extend_and_bring_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "content" / "de").mkdir(parents=True)
    (tmp_path / "policy.yaml").write_text("extends: care\nname: zweisprachig\n")
    (tmp_path / "zones.yaml").write_text("US: America/Chicago\n")
    (tmp_path / "content" / "de" / "suspension_apology.yaml").write_text("sms: {body: Es tut uns leid.}\n")
    loaded = load(tmp_path)
    assert loaded.policy.zones["US"] == "America/Chicago"
    assert loaded.policy.zones["NO"] == "Europe/Oslo"
    apology = loaded.document["content"]["de"]["suspension_apology"]
    assert apology["sms"] == {"body": "Es tut uns leid."}
    assert "Ihr Abonnement ist wieder aktiv" in apology["email"]["body"], "what it does not name is care's"


def test_a_setting_in_two_files_of_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("extends: care\nzones: {US: America/Chicago}\n")
    (tmp_path / "zones.yaml").write_text("US: America/Chicago\n")
    with pytest.raises(PolicyError, match=r"zones: is set in policy\.yaml as well"):
        load(tmp_path)


def test_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("extends: two.yaml\n")
    (tmp_path / "two.yaml").write_text("extends: one.yaml\n")
    with pytest.raises(PolicyError, match=r"leads in a circle: .*one\.yaml -> .*two\.yaml -> .*one\.yaml"):
        load(tmp_path / "one.yaml")


@pytest.mark.parametrize(
    ("name", "message"),
    [("caer", "did you mean `care`"), ("nothing/like/it.yaml", "shipped: care"), ("", "policy.yaml")],
)
def test_a_policy_that_is_not_there(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=message):
        load(name or tmp_path)


def test_extends_must_be_text_and_exist(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text("extends: 3\n")
    with pytest.raises(PolicyError, match="name a shipped policy"):
        load(file)
    file.write_text("name: x\nextends: caring\n")
    message = r"file\.yaml: 1 problem\n  extends: leads to `caring`: .*no policy of this name.*file\.yaml:2"
    with pytest.raises(PolicyError, match=message):
        load(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", r"a: stands twice .*test:3:1"),
        ("x:\n  a: 1\n  a: 2\n", r"x\.a: stands twice .*test:3:3"),
        ('{"x": {"a": 1, "a": 2}}', r"a: stands twice"),
        ("a: [1, 2\nb: 3\n", r"is not YAML: .*test:2:2"),
        ("a:\n\t- b\n", r"is not YAML"),
        ("a: &x {b: 1}\nc: *x\n", r"c: is an alias"),
        ("a: &x\n  b: *x\n", r"a\.b: is an alias"),
        ("a: !!python/object/apply:os.system ['true']\n", r"a: has the tag `tag:yaml"),
        ("a: !!int xyz\n", r"a: does not fit its tag"),
        ("a: !own xyz\n", r"a: has the tag `!own`"),
        ("? [a, b]\n: c\n", r"has a key that is not text"),
        ("a: b: c\n", r"is not YAML: .*test:1:5"),
        ("a: " + "[" * 40 + "]" * 40, r"nested deeper than 32"),
        ("a: " + "[" * 900_000, r"nested deeper than 32"),
        ('{"a": ' + "[" * 40 + "]" * 40 + "}", r"nested deeper than 32"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", r"nested deeper than 32"),
        ('{"a": "' + chr(92) + 'ud800"}', r"half a character"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        parse(text, "test")


def test_too_long_a_text_is_not_parsed() -> None:
    with pytest.raises(PolicyError, match="more than 2,000,000 characters"):
        parse("a" * 2_000_001, "test")


def test_a_file_that_is_no_map_or_no_text(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text("- a\n- b\n")
    with pytest.raises(PolicyError, match="is not a map of settings"):
        load(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="UTF-8"):
        load(file)


def test_norway_times_and_codes_stay_text() -> None:
    values, locations = parse("NO: Europe/Oslo\non: 21:00\n05: yes\n1: 2026-01-01\nt: true\nn:\n", "test")
    assert values == {
        "NO": "Europe/Oslo",
        "on": "21:00",
        "05": "yes",
        "1": "2026-01-01",
        "t": True,
        "n": None,
    }
    assert locations["05",] == "test:3"


_SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=30)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8), _VALUES, max_size=5))
def test_any_document_survives_json(document: dict[str, Any]) -> None:
    assert parse(json.dumps(document), "test")[0] == document


# What YAML cannot carry (control characters, lone surrogates) no policy can hold.
_PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=20)
_LINES = st.lists(_PRINTABLE, min_size=1, max_size=3).map("\n".join)


@given(st.dictionaries(_PRINTABLE, _LINES | st.integers(-(10**18), 10**18) | st.booleans(), max_size=5))
def test_any_document_survives_yaml(document: dict[str, Any]) -> None:
    assert parse(dump(document), "test")[0] == document


@given(st.dictionaries(st.text(max_size=3), _VALUES, max_size=4))
def test_merging_nothing_changes_only_what_is_null(document: dict[str, Any]) -> None:
    merged = merge({}, document)
    assert merge(merged, {}) == merged
    assert merge({}, merged) == merged
    assert all(value is not None for value in merged.values())


def test_a_path_as_people_write_it() -> None:
    assert dotted(("campaigns", "standard", "ladder", 3, "day")) == "campaigns.standard.ladder[3].day"
