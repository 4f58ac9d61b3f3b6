import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli.app import app
from streams.cli.exit_codes import ExitCode

EXAMPLES = Path(__file__).parents[2] / "examples"
LADDER = str(EXAMPLES / "three-zones.jsonl")
COMMAND = [sys.executable, "-m", "streams.cli.main"]
run = CliRunner()


def simulated(*arguments: str) -> list[dict[str, Any]]:
    result = run.invoke(app, ["simulate", *arguments])
    assert result.exit_code == ExitCode.OK, result.stderr
    assert result.stderr == ""
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_one_object_a_line_with_its_type_first() -> None:
    result = run.invoke(app, ["simulate", LADDER])
    assert {line.partition(",")[0] for line in result.stdout.splitlines()} == {
        '{"type":"notification-command"',
        '{"type":"account-command"',
        '{"type":"decision"',
    }
    assert all(each["decided_at"].endswith("Z") for each in map(json.loads, result.stdout.splitlines()))


def test_json_is_one_document_of_the_same_objects() -> None:
    result = run.invoke(app, ["simulate", LADDER, "--output", "json"])
    assert json.loads(result.stdout) == simulated(LADDER)


def test_a_table_names_everyone() -> None:
    result = run.invoke(app, ["simulate", LADDER, "--output", "table"])
    assert result.exit_code == ExitCode.OK
    assert {"ada", "jun", "lea"} <= set(result.stdout.split())
    assert "1,200 JPY" in result.stdout
    assert "\x1b" not in result.stdout


def test_until_is_included() -> None:
    sent = simulated(LADDER, "--until", "2026-01-13T14:00:00Z")
    assert sent[-1]["decided_at"] == "2026-01-13T14:00:00Z"
    assert simulated(LADDER, "--until", "2026-01-10") == sent[:3]


def test_an_outage_supersedes_steps() -> None:
    decisions = simulated(LADDER, "--outage", "2026-01-12T00:00:00Z/2026-01-25T00:00:00Z")
    outcomes = [outcome for each in decisions if each["type"] == "decision" for outcome in each["outcomes"]]
    assert any(outcome["outcome"] == "superseded" for outcome in outcomes)


def test_standard_input_is_a_history() -> None:
    text = Path(LADDER).read_text(encoding="utf-8")
    assert (
        run.invoke(app, ["simulate", "-"], input=text).stdout == run.invoke(app, ["simulate", LADDER]).stdout
    )


def test_bad_lines_are_named_by_file_line_and_field(tmp_path: Path) -> None:
    history = tmp_path / "bad.jsonl"
    history.write_text('{"type":"payment-failed","event_id":"e"}\n\nnot json\n', encoding="utf-8")
    result = run.invoke(app, ["simulate", str(history)])
    assert result.exit_code == ExitCode.HISTORY
    assert result.stdout == ""
    assert f"{history}:1: occurred_at" in result.stderr
    assert f"{history}:3: is not JSON" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nothing.jsonl"], ExitCode.FAILED, "nothing.jsonl: No such file"),
        ([LADDER, "--policy", "nothing"], ExitCode.POLICY, "nothing"),
        ([LADDER, "--until", "soon"], ExitCode.USAGE, "'soon' is no time"),
        ([LADDER, "--until", "2026-01-01T10:00:00"], ExitCode.USAGE, "2026-01-01T10:00:00Z for UTC"),
        ([LADDER, "--tick-every", "0s"], ExitCode.USAGE, "positive"),
        ([LADDER, "--tick-every", "often"], ExitCode.USAGE, "no duration"),
        ([LADDER, "--outage", "2026-01-01"], ExitCode.USAGE, "FROM/TO"),
        ([LADDER, "--outage", "2026-01-02/2026-01-01"], ExitCode.USAGE, "cannot end"),
        (
            [LADDER, "--output", "xml"],
            ExitCode.USAGE,
            "Invalid value for '--output' / '-o': 'xml' is not one of 'table', 'jsonl', 'json'.",
        ),
        ([], ExitCode.USAGE, "HISTORY.jsonl"),
    ],
)
def test_what_is_wrong_is_said_in_words(arguments: list[str], code: ExitCode, words: str) -> None:
    result = run.invoke(app, ["simulate", *arguments])
    assert result.exit_code == code
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    with subprocess.Popen(
        [*COMMAND, "simulate", LADDER], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == ExitCode.OK


def test_exit_codes_reach_the_shell() -> None:
    done = subprocess.run([*COMMAND, "simulate", "nothing.jsonl"], capture_output=True, check=False)
    assert done.returncode == ExitCode.FAILED
    assert done.stderr == b"dunning: nothing.jsonl: No such file or directory\n"


def test_simulating_needs_neither_kafka_nor_faust() -> None:
    check = "import sys; import streams.cli.app, streams.cli.simulate; print('faust' in sys.modules)"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, check=True, text=True, env=environment
    )
    assert done.stdout == "False\n"
