"""`dunning report` on a history, without Kafka."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli.app import app
from streams.cli.exit_codes import ExitCode

HISTORY = str(Path(__file__).parents[2] / "examples" / "three-zones.jsonl")
run = CliRunner()


def reported(*arguments: str) -> dict[str, Any]:
    result = run.invoke(app, ["report", "--history", HISTORY, "-o", "json", *arguments])
    assert result.exit_code == ExitCode.OK, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def commands() -> list[dict[str, Any]]:
    result = run.invoke(app, ["simulate", HISTORY])
    lines = map(json.loads, result.stdout.splitlines())
    return [each for each in lines if each["type"] == "notification-command"]


def test_it_counts_what_the_simulator_sends() -> None:
    rows = reported("--by", "channel")["contacts"]
    sent = {row["by"]["channel"]: row["sent"] for row in rows}
    assert sum(sent.values()) == len(commands())
    assert sent["email"] == sum(each["channel"] == "email" for each in commands())


def test_the_attribution_is_named_and_any_is_not_less_than_last() -> None:
    last, any_ = (reported("--by", "-", "--attribution", name) for name in ("last", "any"))
    assert (last["attribution"], any_["attribution"]) == ("last", "any")
    assert last["contacts"][0]["paid"] <= any_["contacts"][0]["paid"]


def test_tables_for_people() -> None:
    result = run.invoke(app, ["report", "--history", HISTORY])
    assert result.exit_code == ExitCode.OK, result.stderr
    for title in ("debts", "contacts, payments credited to the last contact", "d0_email"):
        assert title in result.stdout
    assert "\x1b" not in result.stdout


def test_one_row_a_line_with_its_table_first() -> None:
    result = run.invoke(app, ["report", "--history", HISTORY, "-o", "jsonl", "--by", "campaign,locale"])
    tables = {json.loads(line)["table"] for line in result.stdout.splitlines()}
    assert {"contacts", "debts"} <= tables


def test_the_page_is_written(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    result = run.invoke(app, ["report", "--history", HISTORY, "--html", str(page)])
    assert result.exit_code == ExitCode.OK, result.stderr
    assert f"wrote {page}" in result.stderr
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("given", "said"), [("chanel", "did you mean `channel`?"), ("moon", "there is: about, campaign, step")]
)
def test_an_unknown_dimension_is_named(given: str, said: str) -> None:
    result = run.invoke(app, ["report", "--history", HISTORY, "--by", given])
    assert result.exit_code == ExitCode.USAGE
    assert said in " ".join(result.stderr.replace("│", " ").split())
