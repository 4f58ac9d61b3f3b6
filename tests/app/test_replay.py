"""A dead letter that is replayed goes through a worker: it is decided if its cause is mended."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli.app import app
from streams.cli.exit_codes import ExitCode
from streams.dunning.commands import NotificationCommand
from streams.dunning.events import PaymentFailed
from streams.messages.codec import Encoder
from streams.messages.topics import topic_of

from .harness import Deployment, headers_of, wait_for

pytestmark = pytest.mark.kafka

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
FAILED = PaymentFailed(
    event_id="failed",
    occurred_at=NOON,
    customer_id="customer-1",
    invoice_id="invoice-1",
    amount_minor=4_900,
    currency="USD",
)
TOPIC = topic_of(FAILED).name


def dlq(deployment: Deployment, *command: str, code: ExitCode = ExitCode.OK) -> list[dict[str, Any]]:
    environment = {
        "DUNNING_BOOTSTRAP_SERVERS": deployment.servers,
        "DUNNING_TOPIC_PREFIX": deployment.prefix,
        "DUNNING_APPLICATION_ID": deployment.application_id,
    }
    result = CliRunner().invoke(app, ["dlq", *command, "--output", "jsonl"], env=environment)
    assert result.exit_code == code, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def commands(deployment: Deployment) -> list[NotificationCommand]:
    return [each for each in deployment.outputs() if isinstance(each, NotificationCommand)]


def test_what_is_mended_is_decided_and_what_is_not_comes_back_until_it_is_refused(
    deployment: Deployment,
) -> None:
    late = deployment.start(occurred_before_days=1)
    value = Encoder().encode(FAILED)
    three_days_later = NOON_MS + 3 * 86_400_000
    deployment.send_raw(TOPIC, b"customer-1", value, timestamp=three_days_later)
    deployment.send_raw(TOPIC, b"customer-1", b"{}", timestamp=three_days_later)
    deployment.wait_until_done()
    assert [each["reason"] for each in dlq(deployment, "list")] == ["time_out_of_range", "not_avro"]
    assert late.stop() == 0

    deployment.start()
    assert len(dlq(deployment, "replay", "--all")) == 2
    # Not by the offsets: those of a transaction's markers are nobody's to commit.
    wait_for(lambda: bool(commands(deployment) and dlq(deployment, "list")), "both are dealt with")
    (command,) = commands(deployment)
    assert command.customer_id == "customer-1"
    (back,) = dlq(deployment, "list")
    assert (back["reason"], back["replays"]) == ("not_avro", 1)
    (shown,) = dlq(deployment, "show", back["letter"])
    assert shown["first_origin"].endswith("@1")
    assert shown["origin"].endswith("@3")
    original, again = (each for each in deployment.dead_letters() if each.value() == b"{}")
    assert again.timestamp() == original.timestamp()
    assert [name for name, _ in headers_of(again)][:3] == [
        "dunning.replay.count",
        "dunning.replay.origin",
        "dunning.replay.letter",
    ]
    (refused,) = dlq(deployment, "replay", "--all", "--most-replays", "1", code=ExitCode.FAILED)
    assert refused["fate"] == "refused: it has been sent again once already and came back"
