"""Everything runs over SCRAM and over mutual TLS, with exactly what each principal is granted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from typer.testing import CliRunner

from streams.cli.app import app
from streams.cli.exit_codes import ExitCode
from streams.dunning.commands import AccountCommand, NotificationCommand
from streams.dunning.events import Channel, CustomerProfile, PaymentFailed, RenewalUpcoming, Tick
from streams.engine import ConfigurationError, EngineSettings
from streams.engine.cluster import LibrdkafkaCluster
from streams.messages.access import Operation, Principal, grants
from streams.messages.history import Arrival
from streams.messages.topics import DEAD_LETTERS, INPUTS, OUTPUTS, TICKS, topic_of_kind
from streams.settings import load_settings
from tests.app.harness import Deployment, wait_for

from .secured import SecuredKafka, environment, secured_kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

run = CliRunner()
D0 = datetime(2026, 1, 5, 15, tzinfo=UTC)
# Partitions write to each other only where an offer has a total.
OFFERING = """
extends: care
name: offering
segments: [{name: at_risk, offers: [early]}]
offers:
  early:
    kind: early_renewal
    days_before_at_least: 1
    holds_for: 7
    channels: [email]
    terms: {percent_off: 10}
    budget: {offers: 10}
"""


@pytest.fixture(scope="module")
def kafka_with_access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        secured_kafka(tmp_path_factory.mktemp("secured"), monkeypatch) as kafka,
    ):
        yield kafka


@pytest.fixture
def secured_deployment(
    kafka_with_access: SecuredKafka, topic_prefix: str, tmp_path: Path
) -> Iterator[Deployment]:
    made = Deployment(kafka_with_access.servers, topic_prefix, tmp_path)
    yield made
    made.close()


def _failed(number: int) -> Arrival:
    event = PaymentFailed(
        event_id=f"e-{number}",
        occurred_at=D0,
        customer_id=f"c-{number}",
        invoice_id=f"i-{number}",
        amount_minor=4_900,
        currency="USD",
    )
    return Arrival(D0, event)


def _renewing() -> Iterator[Arrival]:
    """Somebody who is made an offer."""
    profile = CustomerProfile(
        event_id="p-1",
        occurred_at=D0,
        customer_id="renewing",
        customer_since=D0,
        timezone="UTC",
        locale="en",
        country="US",
        channels=(Channel.EMAIL,),
        marketing_consent=True,
        exempt=False,
    )
    renewal = RenewalUpcoming(
        event_id="r-1",
        occurred_at=D0,
        customer_id="renewing",
        subscription_id="s-1",
        renews_at=D0 + timedelta(days=20),
        amount_minor=2_000,
        currency="USD",
        interval="month",
        plan_name="Basic",
    )
    yield Arrival(D0, profile)
    yield Arrival(D0, renewal)


@pytest.mark.parametrize("way", ["scram-256", "scram-512", "certificate"])
def test_a_worker_does_all_that_it_is_granted_and_nothing_else(
    kafka_with_access: SecuredKafka, secured_deployment: Deployment, tmp_path: Path, way: str
) -> None:
    kafka, deployment = kafka_with_access, secured_deployment
    policy = tmp_path / "offering.yaml"
    policy.write_text(OFFERING)
    user = f"{deployment.prefix}worker"
    given = grants(Principal.WORKER, application_id=deployment.application_id, topic_prefix=deployment.prefix)
    kafka.allow(user, given)
    if way == "certificate":
        how = kafka.by_certificate(user)
    else:
        how = kafka.by_scram(user, f"SCRAM-SHA-{way.removeprefix('scram-')}")
    worker = deployment.start(**how, policy=policy)
    for number in range(20):
        deployment.send(_failed(number))
    for arrival in _renewing():
        deployment.send(arrival)
    for topic in INPUTS:
        deployment.send_raw(topic.name, b"anybody", b"not one of ours")
    deployment.wait_until_done()
    for day in range(75):
        deployment.tick(Tick(D0 + timedelta(days=day, hours=6)))
    deployment.wait_until_done()
    assert worker.stop() == 0
    # The state is restored by another instance, which makes the time itself.
    other = deployment.start("1", **how, policy=policy, ticks="worker", store="memory")
    deployment.send(_failed(20))
    ticks = 75 * deployment.partitions
    wait_for(lambda: len(deployment.messages(TICKS.name)) > ticks, "it has sent ticks")
    deployment.wait_until_done()
    assert other.stop() == 0
    outputs = deployment.outputs()
    sent = {each.customer_id for each in outputs if isinstance(each, NotificationCommand)}
    assert sent == {"renewing", *(f"c-{number}" for number in range(21))}
    assert any(isinstance(each, AccountCommand) for each in outputs)

    verdicts = list(kafka.verdicts(user))
    assert [each for each in verdicts if not each.allowed] == []
    used = {(each.kind, each.name, each.operation) for each in verdicts}
    for grant in given:
        for operation in grant.operations:
            assert _is_used(used, grant.kind.value, grant.name, operation, is_prefix=grant.is_prefix), (
                f"{grant.name} need not be granted {operation}"
            )


def _is_used(
    used: set[tuple[str, str, str]], kind: str, name: str, operation: Operation, *, is_prefix: bool
) -> bool:
    wanted = {"topic": "Topic", "group": "Group", "transactionalId": "TransactionalId"}[kind]
    said = {"DescribeConfigs": "DESCRIBE_CONFIGS"}.get(operation, operation.upper())
    return any(
        kind_ == wanted and said == operation_ and (name_.startswith(name) if is_prefix else name_ == name)
        for kind_, name_, operation_ in used
    )


def test_people_come_with_what_they_are_granted(kafka_with_access: SecuredKafka, topic_prefix: str) -> None:
    kafka, application_id = kafka_with_access, f"{topic_prefix}dunning"
    names = {"topic_prefix": topic_prefix, "application_id": application_id}
    who = {}
    for principal in Principal:
        user = f"{topic_prefix}{principal}"
        kafka.allow(user, grants(principal, application_id=application_id, topic_prefix=topic_prefix))
        who[principal] = environment(kafka.by_scram(user), names)
    operator, reader = who[Principal.OPERATOR], who[Principal.READER]

    for command in (
        ["topics", "create", "--partitions", "2"],
        ["topics", "check"],
        ["policy", "publish", "care"],
        ["tail", "dlq", "--no-follow"],
    ):
        done = run.invoke(app, command, env=operator)
        assert done.exit_code == ExitCode.OK, (command, done.output)

    produced = _produce(who[Principal.PUBLISHER], topic_prefix + INPUTS[0].name)
    assert produced is None
    for topic in (DEAD_LETTERS, *OUTPUTS):
        refused = _produce(who[Principal.PUBLISHER], topic_prefix + topic.name)
        assert refused is not None
        assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert _produce(who[Principal.NOTIFIER], topic_prefix + topic_of_kind("feedback").name) is None

    assert run.invoke(app, ["tail", "commands", "--no-follow"], env=reader).exit_code == ExitCode.OK
    refused_tail = run.invoke(app, ["tail", "dlq", "--no-follow"], env=reader)
    assert refused_tail.exit_code == ExitCode.BROKER
    assert "does not exist" in refused_tail.stderr


def _produce(variables: dict[str, str], topic: str) -> KafkaError | None:
    """Send one record; the error that it meets."""
    settings = load_settings(variables)
    met: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers, **settings.kafka_properties})
    try:
        producer.produce(topic, b"any", b"any", on_delivery=lambda error, _message: met.append(error))
    except KafkaException as error:
        refused: KafkaError = error.args[0]
        return refused
    producer.flush(30)
    return met[0]


def test_who_is_not_known_is_told_so_and_no_secret_is(
    kafka_with_access: SecuredKafka, topic_prefix: str, tmp_path: Path
) -> None:
    how = kafka_with_access.by_scram(f"{topic_prefix}somebody")
    wrong = tmp_path / "wrong"
    wrong.write_text("guessed-in-vain")
    done = run.invoke(app, ["topics", "check"], env=environment(how, {"sasl_password_file": wrong}))
    assert done.exit_code == ExitCode.BROKER
    assert "lets nobody in who comes so" in done.stderr
    assert "invalid credentials" in done.stderr
    assert "guessed-in-vain" not in done.output

    settings = load_settings(environment(how, {"sasl_password_file": wrong}))
    cluster = LibrdkafkaCluster(
        EngineSettings(
            application_id="any",
            bootstrap_servers=settings.bootstrap_servers,
            request_timeout_seconds=2,
            client=settings.kafka_properties,
        )
    )
    with pytest.raises(ConfigurationError, match="check credentials, certificates and ACLs") as caught:
        cluster.partition_counts(["any"])
    assert "guessed-in-vain" not in str(caught.value)


def test_a_broker_whose_certificate_is_not_trusted_is_not_talked_to(
    kafka_with_access: SecuredKafka, topic_prefix: str
) -> None:
    how = kafka_with_access.by_scram(f"{topic_prefix}somebody")
    del how["ssl_ca_location"]
    done = run.invoke(app, ["topics", "check"], env=environment(how))
    assert done.exit_code == ExitCode.BROKER
    assert "certificate" in done.stderr
