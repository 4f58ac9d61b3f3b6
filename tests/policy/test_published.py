"""What is published from the model is current: the JSON Schema and the reference."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from streams.policy import LoadedPolicy, compliance_reference, load, reference, schema
from streams.policy.documents import policies_directory

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_schema_is_current() -> None:
    published = (policies_directory() / "policy.schema.json").read_text(encoding="utf-8")
    assert published == schema.render(), "write streams.policy.schema.render() to policies/policy.schema.json"


def test_the_reference_is_current() -> None:
    published = (REPOSITORY / "docs" / "policy.md").read_text(encoding="utf-8")
    assert published == reference.render(), "write streams.policy.reference.render() to docs/policy.md"


def test_the_schema_takes_whole_policies_and_changes(care: LoadedPolicy) -> None:
    published = schema.file_schema()
    Draft202012Validator.check_schema(published)
    validator = Draft202012Validator(published)
    assert validator.is_valid(care.document)
    assert validator.is_valid({"extends": "care"})
    assert validator.is_valid({"extends": "care", "suspension": {"notice": "P14D"}, "zones": {"US": None}})
    assert not validator.is_valid({"extends": "care", "suspension": {"notce": "P14D"}})
    assert not validator.is_valid({"extends": "care", "version": "abc"})
    assert not validator.is_valid({"name": "bare"})
    assert not validator.is_valid({**care.document, "version": "abc"})


def test_the_example_of_the_reference_loads(tmp_path: Path) -> None:
    example = reference.render().partition("```yaml\n")[2].partition("```")[0]
    file = tmp_path / "patient.yaml"
    file.write_text(example)
    policy = load(file).policy
    assert policy.name == "patient"
    assert policy.minimum_amount["USD"] == 500


def test_a_plain_yaml_reader_sees_what_is_printed(care: LoadedPolicy) -> None:
    assert yaml.safe_load(care.as_yaml()) == care.document


@pytest.mark.parametrize("word", ["suspension.notice", "d53_final_notice", "P60D"])
def test_the_reference_speaks_of(word: str) -> None:
    assert word in reference.render()


@pytest.mark.parametrize(
    "word",
    [
        "815 ILCS 601/10(b)",
        "visa_20_in_30_days",
        "exactly 7 days before",
        "courtesy",
        "Fla. Stat. 501.616(6)(a)",
    ],
)
def test_the_page_of_rules_speaks_of(word: str) -> None:
    assert word in compliance_reference.render()
