"""An experiment through Kafka: customers are dealt as the hash says, whatever dies, and counted once."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.app import app
from streams.dunning.commands import DecisionRecord, NotificationCommand, ReasonCode
from streams.dunning.events import PaymentFailed, PaymentRecovered
from streams.dunning.experiments import arm_for
from streams.messages.history import Arrival
from streams.policy import load

from .harness import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

D0 = datetime(2026, 3, 2, 15, tzinfo=UTC)
DAY = timedelta(days=1)
CUSTOMERS = 24
POLICY = Path(__file__).parents[2] / "examples" / "policies" / "test-tone-and-hour.yaml"
EVERY = timedelta(hours=3)


def _failed(number: int) -> Arrival:
    event = PaymentFailed(
        event_id=f"failed-{number}",
        occurred_at=D0,
        customer_id=f"c-{number:03}",
        invoice_id=f"i-{number}",
        amount_minor=4_900,
        currency="USD",
    )
    return Arrival(D0, event)


def _paid(number: int) -> Arrival:
    at = D0 + 4 * DAY
    event = PaymentRecovered(
        event_id=f"paid-{number}",
        occurred_at=at,
        customer_id=f"c-{number:03}",
        invoice_id=f"i-{number}",
        amount_minor=4_900,
        currency="USD",
    )
    return Arrival(at, event)


def test_arms_are_dealt_and_counted_across_a_kill(deployment: Deployment) -> None:
    (experiment,) = load(POLICY).policy.experiments
    dealt = {
        f"c-{number:03}": arm.name
        for number in range(CUSTOMERS)
        if (arm := arm_for(experiment, f"c-{number:03}")) is not None
    }
    assert set(dealt.values()) == {"as_now", "short", "evening"}
    worker = deployment.start(policy=POLICY)
    for number in range(CUSTOMERS):
        deployment.send(_failed(number))
    deployment.tick_to(D0 + timedelta(hours=3), D0 + DAY, every=EVERY)
    worker.kill()
    worker = deployment.start(policy=POLICY)
    deployment.tick_to(D0 + 2 * DAY, D0 + 3.5 * DAY, every=EVERY)
    for number in range(0, CUSTOMERS, 2):
        deployment.send(_paid(number))
    deployment.tick_to(D0 + 4 * DAY, D0 + 8 * DAY, every=EVERY)

    outputs = deployment.outputs()
    sent = [each for each in outputs if isinstance(each, NotificationCommand)]
    assert len({each.command_id for each in sent}) == len(sent)
    assert all(each.experiment_arms == {"tone_and_hour": dealt[each.customer_id]} for each in sent)
    for each in sent:
        name = dealt[each.customer_id]
        assert each.tone == ("short" if name == "short" else "supportive")
        if each.step_id != "d0_email":
            assert f"{each.send_after:%H:%M}" == ("18:00" if name == "evening" else "09:00")
    exposed = Counter(
        decision.customer_id
        for decision in outputs
        if isinstance(decision, DecisionRecord)
        for reason in decision.outcomes
        if reason.reason is ReasonCode.EXPOSED
    )
    assert exposed == dict.fromkeys(dealt, 1)

    environment = {
        "DUNNING_BOOTSTRAP_SERVERS": deployment.servers,
        "DUNNING_TOPIC_PREFIX": deployment.prefix,
        "DUNNING_APPLICATION_ID": deployment.application_id,
    }
    result = CliRunner().invoke(app, ["experiments", "-o", "json"], env=environment)
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)
    paid = Counter(name for number, name in enumerate(dealt.values()) if number % 2 == 0)
    assert {each["arm"]: (each["exposed"], each["paid"]) for each in found["arms"]} == {
        name: (count, paid[name]) for name, count in Counter(dealt.values()).items()
    }
    assert sum(each["sent"] for each in found["arms"]) == len(sent)
    assert worker.stop() == 0
    assert not deployment.dead_letters()
