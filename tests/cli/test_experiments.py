"""`dunning experiments` on a history, without Kafka."""

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli import experiments as command
from streams.cli.app import app
from streams.cli.exit_codes import ExitCode
from streams.cli.experiments import _simulated
from streams.dunning.experiments import arm_for
from streams.policy import load

POLICY = str(Path(__file__).parents[2] / "examples" / "policies" / "test-tone-and-hour.yaml")
CUSTOMERS = [f"c-{number}" for number in range(60)]
D0 = datetime(2026, 3, 2, 15, tzinfo=UTC)
run = CliRunner()


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Everybody's payment fails; those with an even number pay three days later."""
    lines: list[dict[str, Any]] = []
    for number, customer in enumerate(CUSTOMERS):
        invoice = {
            "customer_id": customer,
            "invoice_id": f"i-{number}",
            "amount_minor": 2900,
            "currency": "USD",
        }
        lines.append({"type": "payment-failed", "occurred_at": D0.isoformat(), **invoice})
        if number % 2 == 0:
            at = (D0 + timedelta(days=3)).isoformat()
            lines.append({"type": "payment-recovered", "occurred_at": at, **invoice})
    path = tmp_path_factory.mktemp("history") / "history.jsonl"
    ordered = sorted(lines, key=lambda line: str(line["occurred_at"]))
    path.write_text(
        "".join(json.dumps({**line, "event_id": f"e-{at}"}) + "\n" for at, line in enumerate(ordered))
    )
    return str(path)


def compared(history: str, *arguments: str, policy: str = POLICY) -> Any:
    return run.invoke(app, ["experiments", "--history", history, "--policy", policy, *arguments])


def test_each_arm_has_those_whom_the_hash_deals_to_it(history: str) -> None:
    (experiment,) = load(POLICY).policy.experiments
    dealt: Counter[str] = Counter()
    paid: Counter[str] = Counter()
    for number, customer in enumerate(CUSTOMERS):
        arm = arm_for(experiment, customer)
        assert arm is not None
        dealt[arm.name] += 1
        paid[arm.name] += number % 2 == 0
    result = compared(history, "-o", "json", "--until", "2026-04-01")
    assert result.exit_code == ExitCode.OK, result.stderr
    (found,) = json.loads(result.stdout)
    assert {each["arm"]: (each["exposed"], each["paid"]) for each in found["arms"]} == {
        name: (dealt[name], paid[name]) for name in ("as_now", "short", "evening")
    }
    assert [each["result"] for each in found["comparisons"]] == ["paid", "cancelled"] * 2
    assert not found["split_is_broken"]
    lines = compared(history, "tone_and_hour", "-o", "jsonl", "--until", "2026-04-01").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [found]


def test_a_table_for_people(history: str) -> None:
    result = compared(history, "--until", "2026-04-01")
    assert result.exit_code == ExitCode.OK, result.stderr
    for part in ("as_now", "recovered", "evening: paid", "does not suffice yet"):
        assert part in result.stdout


def test_a_broken_split_is_warned_of(history: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The history is dealt by the weights of before, and judged by those of after."""
    path = tmp_path / "policy.yaml"
    path.write_text(Path(POLICY).read_text().replace("weight: 2", "weight: 40"))
    judged = load(path)

    def simulated(*arguments: Any) -> Any:
        return judged, _simulated(*arguments)[1]

    monkeypatch.setattr(command, "_simulated", simulated)
    result = compared(history, "--until", "2026-04-01")
    assert result.exit_code == ExitCode.OK
    assert "not split as the weights say" in result.stderr


def test_what_is_not_there_is_named(history: str) -> None:
    unknown = compared(history, "tone")
    assert (unknown.exit_code, "known: tone_and_hour" in unknown.stderr) == (ExitCode.FAILED, True)
    none = compared(history, policy="care")
    assert (none.exit_code, "has no experiments" in none.stderr) == (ExitCode.FAILED, True)
    unnamed = run.invoke(app, ["experiments", "--history", history])
    assert (unnamed.exit_code, "--policy" in unnamed.stderr) == (ExitCode.FAILED, True)


def test_without_the_statistics_it_says_what_to_install(
    history: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("streams.cli.experiment_tables", "streams.lab.experiments", "streams.lab.comparison"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    result = compared(history)
    assert (result.exit_code, "dunning-streams[statistics]" in result.stderr) == (ExitCode.FAILED, True)


@pytest.mark.parametrize("name", ["worker", "simulate", "report"])
def test_no_other_command_imports_the_statistics(name: str) -> None:
    code = f"import sys, streams.cli.{name}; sys.exit('scipy' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
