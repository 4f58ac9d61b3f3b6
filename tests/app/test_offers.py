"""The total of an offer is spent to the last one and no further, while workers are killed."""

import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.app import app
from streams.dunning.commands import DecisionRecord, NotificationCommand, Outcome, ReasonCode
from streams.dunning.events import Channel, CustomerProfile, RenewalUpcoming, Tick
from streams.lab.publish import publish
from streams.lab.simulate import simulate
from streams.messages.history import Arrival
from streams.policy import load

from .harness import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

START = datetime(2026, 1, 5, 15, tzinfo=UTC)
NINE = datetime(2026, 1, 13, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TOTAL = 37
CUSTOMERS = 90
OFFERING = """
extends: care
name: offering
segments: [{name: standard, offers: [early]}]
cards: {reminders: []}
renewals:
  reminders:
    - {id: renewal_30, days_before: 30, channels: [email], template: renewal_upcoming}
    - {id: renewal_7, days_before: 7, channels: [email], template: renewal_upcoming}
offers:
  early:
    kind: early_renewal
    days_before_at_least: 7
    holds_for: 7
    channels: [email]
    terms: {percent_off: 10}
    budget: {offers: TOTAL, money: {USD: MONEY}}
content:
  en:
    renewal_upcoming:
      email:
        body: "{{ renews_on | date }}{% if offer_kind %} {{ offer_percent }}% off{% endif %}"
"""


def _policy(directory: Path, total: int) -> Path:
    """So many offers, and money for half a one more."""
    path = directory / f"offering-{total}.yaml"
    path.write_text(OFFERING.replace("TOTAL", str(total)).replace("MONEY", str(total * 200 + 100)))
    return path


def _events(number: int) -> tuple[CustomerProfile, RenewalUpcoming]:
    """Somebody who has consented, and renews in a week."""
    customer_id = f"c-{number:03}"
    profile = CustomerProfile(
        event_id=f"p-{number}",
        occurred_at=START,
        customer_id=customer_id,
        customer_since=START,
        timezone="UTC",
        locale="en",
        country="US",
        channels=(Channel.EMAIL,),
        marketing_consent=True,
        exempt=False,
    )
    renewal = RenewalUpcoming(
        event_id=f"r-{number}",
        occurred_at=START,
        customer_id=customer_id,
        subscription_id=f"s-{number}",
        renews_at=NINE + timedelta(days=7, hours=3),
        amount_minor=2_000,
        currency="USD",
        interval="month",
        plan_name="Basic",
    )
    return profile, renewal


def test_two_workers_spend_exactly_the_total(deployment: Deployment, tmp_path: Path) -> None:
    settings = {"policy": _policy(tmp_path, TOTAL), "max_records": 20}
    workers = {name: deployment.start(name, **settings) for name in ("0", "1")}
    for number in range(CUSTOMERS):
        for event in _events(number):
            deployment.send(Arrival(START, event))
    deployment.wait_until_done()
    deployment.tick(Tick(START + MINUTE))
    deployment.wait_until_done()

    for minute in range(17):
        deployment.tick(Tick(NINE + minute * MINUTE))
        if minute in {1, 3}:
            # In the middle of what the minute brings: reminders, and partitions that ask each other.
            deployment.flush()
            time.sleep(0.02)
            victim = str(minute % 2)
            workers[victim].kill()
            workers[victim] = deployment.start(victim, **settings)
        deployment.wait_until_done()
        time.sleep(0.3)  # what partitions say to each other is not waited for

    sent = [each for each in deployment.outputs() if isinstance(each, NotificationCommand)]
    assert Counter(each.customer_id for each in sent) == {f"c-{number:03}": 1 for number in range(CUSTOMERS)}
    assert Counter(each.offer for each in sent) == {"early": TOTAL, None: CUSTOMERS - TOTAL}
    withheld = [
        reason
        for decision in deployment.outputs()
        if isinstance(decision, DecisionRecord)
        for reason in decision.outcomes
        if reason.outcome is Outcome.WITHHELD
    ]
    assert Counter(each.reason for each in withheld) == {ReasonCode.OFFER_BUDGET_SPENT: CUSTOMERS - TOTAL}

    environment = {
        "DUNNING_BOOTSTRAP_SERVERS": deployment.servers,
        "DUNNING_TOPIC_PREFIX": deployment.prefix,
        "DUNNING_APPLICATION_ID": deployment.application_id,
    }

    def offers(*arguments: str) -> list[dict[str, object]]:
        result = CliRunner().invoke(app, ["offers", "-o", "json", *arguments], env=environment)
        assert result.exit_code == 0, result.output
        rows: list[dict[str, object]] = json.loads(result.stdout)
        return rows

    count, money = offers()
    assert {name: count[name] for name in ("offer", "currency", "budget", "used", "left")} == {
        "offer": "early",
        "currency": None,
        "budget": TOTAL,
        "used": TOTAL,
        "left": 0,
    }
    assert (money["currency"], money["used"], money["left"]) == ("USD", TOTAL * 200, 100)
    used: Counter[str] = Counter()
    for row in offers("--by-partition"):
        if row["currency"] is None:
            used["held"] += int(str(row["held"]))
            used["used"] += int(str(row["used"]))
            used["granted"] += int(str(row["granted"]))
    assert used == {"held": 0, "used": TOTAL, "granted": TOTAL}
    assert [worker.stop() for worker in workers.values()] == [0, 0]
    assert not deployment.dead_letters()


def test_through_kafka_the_same_customers_get_the_same_offers_as_simulated(
    deployment: Deployment, tmp_path: Path
) -> None:
    path = _policy(tmp_path, 2_000)
    history = [Arrival(START, event) for number in range(30) for event in _events(number)]
    until, tick_every = NINE + timedelta(days=8), 15 * MINUTE
    worker = deployment.start(policy=path)
    publish(
        history,
        client={"bootstrap.servers": deployment.servers},
        group=deployment.application_id,
        prefix=deployment.prefix,
        until=until,
        tick_every=tick_every,
    )
    assert worker.stop() == 0
    found, simulated = (
        sorted(
            (each.customer_id, each.decided_at, each.step_id, each.offer, each.body)
            for each in outputs
            if isinstance(each, NotificationCommand)
        )
        for outputs in (deployment.outputs(), simulate(history, load(path), until, tick_every))
    )
    assert found == simulated
    assert sum(offer is not None for *_, offer, _ in found) == 30
