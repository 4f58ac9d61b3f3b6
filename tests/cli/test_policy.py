import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.app import app
from streams.cli.exit_codes import ExitCode
from streams.policy import load

run = CliRunner()


@pytest.mark.parametrize("language", ["yaml", "json"])
def test_what_is_shown_can_be_given_back(tmp_path: Path, language: str) -> None:
    shown = run.invoke(app, ["policy", "show", "care", "--output", language])
    assert shown.exit_code == ExitCode.OK
    path = tmp_path / f"care.{language}"
    path.write_text(shown.stdout, encoding="utf-8")
    checked = run.invoke(app, ["policy", "check", str(path)])
    assert checked.exit_code == ExitCode.OK
    assert load("care").version in checked.stdout


def test_every_problem_is_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: care\nbudget: {per_day: 0}\ncontact_hour: '25:00'\nnothing: 1\n", encoding="utf-8"
    )
    result = run.invoke(app, ["policy", "check", str(path)])
    assert result.exit_code == ExitCode.POLICY
    assert result.stdout == ""
    for problem in ("budget.per_day", "contact_hour", "nothing"):
        assert problem in result.stderr


def test_a_policy_that_is_not_there() -> None:
    result = run.invoke(app, ["policy", "show", "nothing"])
    assert result.exit_code == ExitCode.POLICY
    assert "care" in result.stderr, "the shipped ones are named"


def test_the_schema_is_json() -> None:
    schema = json.loads(run.invoke(app, ["policy", "schema"]).stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")


def test_the_list_names_versions() -> None:
    result = run.invoke(app, ["policy", "list", "--output", "jsonl"])
    assert {"name": "care", "version": load("care").version} in map(json.loads, result.stdout.splitlines())
