"""A policy is published while a worker runs, which is killed meanwhile; cases are moved, versions dropped."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.app import app
from streams.dunning.commands import DecisionRecord, NotificationCommand
from streams.dunning.events import PaymentFailed
from streams.messages.history import Arrival
from streams.policy import load

from .harness import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

D0 = datetime(2026, 1, 5, 15, tzinfo=UTC)
DAY = timedelta(days=1)
QUICK = """
extends: care
name: quick
campaigns:
  standard:
    ladder:
      - {id: d0_email, day: 0, channels: [email], template: payment_failed}
      - {id: d2_email, day: 2, channels: [email], template: payment_failed}
      - {id: d20_email, day: 20, channels: [email], template: payment_failed}
      - {id: notice, day: 53, action: final_notice, channels: [email], template: final_notice}
      - {id: suspend, day: 60, action: suspend}
"""
CUSTOMERS = 12
EVERY = timedelta(hours=12)


def _failed(number: int, at: datetime) -> Arrival:
    event = PaymentFailed(
        event_id=f"e-{number}",
        occurred_at=at,
        customer_id=f"c-{number:03}",
        invoice_id=f"i-{number}",
        amount_minor=4_900,
        currency="USD",
    )
    return Arrival(at, event)


def _steps(deployment: Deployment) -> dict[str, list[tuple[str, str]]]:
    """What each customer was sent, with the version it went by; and nothing twice."""
    sent = [each for each in deployment.outputs() if isinstance(each, NotificationCommand)]
    assert len({each.command_id for each in sent}) == len(sent)
    found: dict[str, list[tuple[str, str]]] = {}
    for each in sorted(sent, key=lambda each: each.decided_at):
        found.setdefault(each.customer_id, []).append((each.step_id, each.policy_version))
    return found


def test_a_policy_is_published_while_a_worker_runs(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "quick.yaml"
    path.write_text(QUICK)
    care, quick = load("care").version, load(path).version
    run = CliRunner()
    environment = {
        "DUNNING_BOOTSTRAP_SERVERS": deployment.servers,
        "DUNNING_TOPIC_PREFIX": deployment.prefix,
        "DUNNING_APPLICATION_ID": deployment.application_id,
    }

    def dunning(*arguments: str, code: int = 0) -> str:
        result = run.invoke(app, ["policy", *arguments], env=environment)
        assert result.exit_code == code, result.output
        return result.stdout

    worker = deployment.start()
    for number in range(CUSTOMERS):
        deployment.send(_failed(number, D0))
    deployment.tick_to(D0 + timedelta(hours=1), D0 + timedelta(hours=2), every=EVERY)

    dunning("publish", str(path))
    dunning("publish", str(path))
    later = D0 + timedelta(hours=6)
    deployment.tick_to(later, later, every=EVERY)
    worker.kill()
    for number in range(CUSTOMERS, 2 * CUSTOMERS):
        deployment.send(_failed(number, later))
    deployment.flush()
    # Another policy in the settings: the published one goes before it.
    worker = deployment.start(policy="care")
    deployment.tick_to(later + timedelta(hours=1), D0 + 4 * DAY, every=EVERY)

    sent = _steps(deployment)
    for number in range(CUSTOMERS):
        assert sent[f"c-{number:03}"] == [("d0_email", care), ("d3_email", care)]
    for number in range(CUSTOMERS, 2 * CUSTOMERS):
        assert sent[f"c-{number:03}"] == [("d0_email", quick), ("d2_email", quick)]
    rows = {each["version"]: each for each in json.loads(dunning("versions", "-o", "json"))}
    assert {name: each["open_cases"] for name, each in rows.items()} == {care: CUSTOMERS, quick: CUSTOMERS}
    assert {name: each["in_force"] for name, each in rows.items()} == {care: 0, quick: deployment.partitions}

    dunning("drop", care, code=1)
    changes = json.loads(dunning("migrate", "--dry-run", "-o", "json"))
    assert {each["customer"] for each in changes} == {f"c-{number:03}" for number in range(CUSTOMERS)}
    one = {each["step"]: (each["before"], each["after"]) for each in changes if each["customer"] == "c-000"}
    assert one["d7_email"] == ((D0 + 7 * DAY).replace(hour=9).isoformat(), None)
    assert one["d20_email"] == (None, (D0 + 20 * DAY).replace(hour=9).isoformat())
    assert "d2_email" not in one

    assert dunning("migrate").startswith(f"{CUSTOMERS} open cases move")
    worker.kill()
    worker = deployment.start()
    deployment.tick_to(D0 + 4 * DAY + timedelta(hours=12), D0 + 21 * DAY, every=EVERY)
    assert dunning("migrate").startswith("0 open cases move")
    sent = _steps(deployment)
    for number in range(CUSTOMERS):
        assert sent[f"c-{number:03}"][2:] == [("d20_email", quick)]
    moved = [
        each
        for each in deployment.outputs()
        if isinstance(each, DecisionRecord) and each.input.event_id == "policy-2"
    ]
    assert sorted(each.customer_id for each in moved) == [f"c-{number:03}" for number in range(CUSTOMERS)]

    assert dunning("drop", "--unused") == f"dropped {care}\n"
    deployment.tick_to(D0 + 22 * DAY, D0 + 22 * DAY, every=EVERY)
    (left,) = json.loads(dunning("versions", "-o", "json"))
    assert (left["version"], left["open_cases"]) == (quick, 2 * CUSTOMERS)
    assert worker.stop() == 0
    assert not deployment.dead_letters()
