"""`dunning forget`: what is held is shown, an open case is guarded, and nothing is left in the state."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from streams.cli.app import app
from streams.cli.exit_codes import ExitCode
from streams.dunning.events import PaymentFailed, PaymentRecovered, Tick
from streams.messages.history import Arrival
from tests.app.harness import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

run = CliRunner()
D0 = datetime(2026, 1, 5, 15, tzinfo=UTC)
INVOICE = {"invoice_id": "i-1", "amount_minor": 4_900, "currency": "USD"}


def _send(deployment: Deployment, customer_id: str, *, paid: bool) -> None:
    failed = PaymentFailed(event_id=f"f-{customer_id}", occurred_at=D0, customer_id=customer_id, **INVOICE)  # type: ignore[arg-type]
    deployment.send(Arrival(D0, failed))
    if paid:
        later = D0 + timedelta(hours=1)
        recovered = PaymentRecovered(
            event_id=f"p-{customer_id}",
            occurred_at=later,
            customer_id=customer_id,
            **INVOICE,  # type: ignore[arg-type]
        )
        deployment.send(Arrival(later, recovered))


def _states(deployment: Deployment) -> dict[bytes, bytes | None]:
    """The latest of each key in the customers' changelog."""
    found: dict[bytes, bytes | None] = {}
    for message in deployment.messages(f"{deployment.application_id}-customers-changelog"):
        key = message.key()
        assert isinstance(key, bytes)
        found[key] = message.value()
    return found


def test_a_customer_is_erased_once_and_for_all(deployment: Deployment) -> None:
    variables = {
        "DUNNING_BOOTSTRAP_SERVERS": deployment.servers,
        "DUNNING_APPLICATION_ID": deployment.application_id,
        "DUNNING_TOPIC_PREFIX": deployment.prefix,
    }
    worker = deployment.start()
    _send(deployment, "ada", paid=True)
    _send(deployment, "ben", paid=False)
    _send(deployment, "cleo", paid=False)
    deployment.wait_until_done()
    published = run.invoke(app, ["policy", "publish", "care"], env=variables)
    assert published.exit_code == ExitCode.OK, published.output
    deployment.tick(Tick(D0 + timedelta(hours=2)))
    deployment.wait_until_done()

    shown = run.invoke(app, ["forget", "ada", "--dry-run", "--output", "json"], env=variables)
    assert shown.exit_code == ExitCode.OK, shown.output
    held = {row["topic"].removeprefix(deployment.prefix): row for row in json.loads(shown.stdout)}
    assert {"billing.payment-failed.v1", "billing.payment-recovered.v1", "dunning.decision.v1"} < set(held)
    assert held["billing.payment-failed.v1"]["records"] == 1
    assert held["billing.payment-failed.v1"]["until"] == "2026-02-09"
    assert _states(deployment)[b"ada"] is not None, "a dry run erases nothing"

    refused = run.invoke(app, ["forget", "ben"], env=variables)
    assert refused.exit_code == ExitCode.FAILED
    assert "1 open cases" in refused.stderr
    for command in (["forget", "ada"], ["forget", "ben", "--open-cases"], ["forget", "nobody"]):
        done = run.invoke(app, command, env=variables)
        assert done.exit_code == ExitCode.OK, done.output
    deployment.wait_until_done()
    states = _states(deployment)
    assert (states[b"ada"], states[b"ben"]) == (None, None)
    assert states[b"cleo"] is not None

    # Nothing more is due for who is erased, whoever holds the partition.
    worker.kill()
    deployment.start(store="memory")
    for day in range(1, 10):
        deployment.tick(Tick(D0 + timedelta(days=day)))
    deployment.wait_until_done()
    assert {
        each.customer_id for each in deployment.outputs() if each.decided_at > D0 + timedelta(hours=3)
    } == {"cleo"}
