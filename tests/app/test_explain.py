"""A customer explained from a real Kafka: by the command, and by the page of a worker."""

import json
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from streams.cli.app import app
from streams.dunning.commands import NotificationCommand
from streams.dunning.events import Channel, CustomerProfile, Feedback, FeedbackKind, PaymentFailed, Tick
from streams.dunning.explanation import Explanation
from streams.dunning.story import Kind
from streams.messages.history import Arrival

from .harness import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

D0 = datetime(2026, 1, 5, 15, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
WHO = "cus_42"
TOKEN = "a token for the tests"


def failed(customer: str, number: int, at: datetime) -> Arrival:
    event = PaymentFailed(
        event_id=f"{customer}-{number}",
        occurred_at=at,
        customer_id=customer,
        invoice_id=f"i-{customer}-{number}",
        amount_minor=4_900,
        currency="USD",
        decline_code="insufficient_funds",
    )
    return Arrival(at, event)


def tick_to(deployment: Deployment, start: datetime, end: datetime) -> None:
    while start <= end:
        deployment.tick(Tick(start))
        start += timedelta(hours=6)
    deployment.wait_until_done()


@pytest.fixture
def told(deployment: Deployment) -> Deployment:
    """A worker has followed some customers for ten days; one of them promised to pay."""
    deployment.start(metrics_port=0, web_token=TOKEN, log_level="INFO")
    profile = CustomerProfile(
        event_id="profile",
        occurred_at=D0 - DAY,
        customer_id=WHO,
        customer_since=D0 - 400 * DAY,
        timezone="America/New_York",
        locale="en-US",
        country="US",
        channels=(Channel.EMAIL, Channel.SMS),
    )
    deployment.send(Arrival(D0 - DAY, profile))
    for customer in (WHO, *(f"other-{number}" for number in range(20))):
        deployment.send(failed(customer, 1, D0))
    tick_to(deployment, D0, D0 + 8 * DAY)
    mine = [
        each
        for each in deployment.outputs()
        if isinstance(each, NotificationCommand) and each.customer_id == WHO
    ]
    for number, (kind, at) in enumerate(
        [(FeedbackKind.DELIVERED, 8 * DAY), (FeedbackKind.PROMISED, 8 * DAY + timedelta(hours=1))]
    ):
        report = Feedback(
            event_id=f"report-{number}",
            occurred_at=D0 + at,
            customer_id=WHO,
            command_id=mine[-1].command_id,
            channel=mine[-1].channel,
            kind=kind,
            promised_until=D0 + 12 * DAY if kind is FeedbackKind.PROMISED else None,
        )
        deployment.send(Arrival(D0 + at, report))
    tick_to(deployment, D0 + 8 * DAY + timedelta(hours=6), D0 + 10 * DAY)
    return deployment


def dunning(deployment: Deployment, *arguments: str, code: int = 0) -> str:
    environment = {
        "DUNNING_BOOTSTRAP_SERVERS": deployment.servers,
        "DUNNING_TOPIC_PREFIX": deployment.prefix,
        "DUNNING_APPLICATION_ID": deployment.application_id,
    }
    result = CliRunner().invoke(app, ["explain", *arguments], env=environment)
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.output


def explained(deployment: Deployment, *arguments: str) -> Explanation:
    return msgspec.json.decode(dunning(deployment, *arguments, "-o", "json"), type=Explanation)


def page_address(deployment: Deployment) -> str:
    log = deployment.workers[0].log.read_text()
    (line,) = [line for line in log.splitlines() if "metrics and health at " in line]
    return f"{line.rpartition(' ')[2]}/customers"


def get(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_customer_is_explained(told: Deployment) -> None:
    found = explained(told, WHO)
    assert found.at == D0 + 10 * DAY
    assert found.zone == "America/New_York"
    assert found.notes == ()
    assert found.now is not None
    (case,) = found.now.cases
    assert case.total_minor == 4_900
    assert case.stands == ("waits: the customer promised to pay",)
    sent = [entry.steps[0] for entry in found.past if entry.kind is Kind.CONTACT]
    assert sent == ["d0_email", "d3_email", "d5_sms", "d7_email"]
    last = [entry for entry in found.past if entry.kind is Kind.CONTACT][-1]
    assert last.reports == ("delivered", "promised")
    assert last.body is not None
    coming = [entry.steps[0] for entry in found.ahead if entry.kind is Kind.CONTACT]
    assert coming[0] == "d14_email"
    assert any(entry.kind is Kind.ACCOUNT for entry in found.ahead)

    text = dunning(told, WHO)
    assert "promised to pay by 2026-01-17 10:00" in text
    assert "What is to come if nothing happens" in text

    # As of a moment before the promise, of one whose state the changelog never had, and of one to come.
    before = explained(told, WHO, "--at", "2026-01-13T00:00:00Z")
    assert [entry.steps[0] for entry in before.past if entry.kind is Kind.CONTACT] == sent
    assert before.now is not None
    assert before.now.promised_until is None
    assert next(entry.at for entry in before.ahead if entry.kind is Kind.CONTACT) == D0 + 14 * DAY - HOUR
    early = explained(told, WHO, "--at", "2026-01-07T00:00:00Z")
    assert [entry.steps[0] for entry in early.past if entry.kind is Kind.CONTACT] == ["d0_email"]
    assert early.now is None
    assert early.zone == "America/New_York"
    assert "not kept any more" in early.notes[0]
    assert "nothing is kept" not in dunning(told, WHO, "--at", "2026-01-07T00:00:00Z")
    later = explained(told, WHO, "--at", "2026-06-01")
    assert later.at == D0 + 10 * DAY
    assert later.notes == ("that time is still to come: this is how things stand now",)

    # How far back and ahead.
    short = explained(told, WHO, "--back", "3d", "--ahead", "7d")
    assert [entry.steps[0] for entry in short.past if entry.kind is Kind.CONTACT] == ["d7_email"]
    assert [entry.steps[0] for entry in short.ahead if entry.kind is Kind.CONTACT] == ["d14_email"]

    assert "nothing is known of a customer 'cus_43'" in dunning(told, "cus_43", code=1)


def test_a_worker_shows_the_same_to_those_who_have_the_token(told: Deployment) -> None:
    url = page_address(told)
    query = urllib.parse.urlencode({"customer": WHO})
    assert get(f"{url}?{query}")[0] == 401
    authorization = f"Bearer {TOKEN}"
    status, html = get(f"{url}?{query}", Authorization=authorization)
    assert status == 200
    assert "Waits: the customer promised to pay" in html
    status, body = get(f"{url}?{query}", Authorization=authorization, Accept="application/json")
    assert status == 200
    page: dict[str, Any] = json.loads(body)
    command: dict[str, Any] = json.loads(dunning(told, WHO, "-o", "json"))
    assert page == command
    assert get(f"{url}?customer=cus_43", Authorization=authorization)[0] == 404

    # The others too, whichever worker holds them by now.
    told.start("1", metrics_port=0, web_token=TOKEN)
    for number in range(20):
        assert get(f"{url}?customer=other-{number}", Authorization=authorization)[0] == 200
    log = told.workers[0].log.read_text()
    assert TOKEN not in log
    assert WHO not in log


def test_before_any_worker_has_run_it_says_what_is_missing(deployment: Deployment) -> None:
    output = dunning(deployment, WHO, code=6)
    assert "does not exist" in output


def test_off_this_machine_nothing_is_shown_without_a_token(deployment: Deployment) -> None:
    deployment.start(metrics_port=0, metrics_host="0.0.0.0", log_level="INFO")
    deployment.send(failed(WHO, 1, D0))
    tick_to(deployment, D0, D0)
    url = page_address(deployment).replace("0.0.0.0", "127.0.0.1")
    assert get(url)[0] == 404
    assert "customers are not shown" in deployment.workers[0].log.read_text()
