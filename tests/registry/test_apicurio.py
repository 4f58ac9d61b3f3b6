"""Against a real registry: schemas are checked and registered by people, read and written by workers."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from streams.cli.app import app
from streams.cli.exit_codes import ExitCode
from streams.dunning.commands import NotificationCommand
from streams.dunning.events import PaymentFailed
from streams.engine import ExitCode as WorkerExitCode
from streams.messages.codec import Decoder, Encoder
from streams.messages.framing import CONFLUENT_MAGIC, confluent_schema_id
from streams.messages.history import Arrival
from streams.messages.registry import COMPATIBILITY, Registry, RegistryError
from streams.messages.schemas import present_schema
from streams.messages.topics import OUTPUTS, TOPICS, topic_of_kind
from tests.app.harness import Deployment

from .apicurio import apicurio

pytestmark = pytest.mark.slow

run = CliRunner()
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FAILED = "billing.payment-failed.v1"
SUBJECTS = sum(topic.struct is not None for topic in TOPICS)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with apicurio(tmp_path_factory.mktemp("apicurio") / "log") as address:
        yield address


def _environment(url: str, prefix: str) -> dict[str, str]:
    return {"DUNNING_SCHEMA_REGISTRY_URL": url, "DUNNING_TOPIC_PREFIX": prefix}


def _event(number: int) -> PaymentFailed:
    return PaymentFailed(
        event_id=f"e-{number}",
        occurred_at=NOON,
        customer_id=f"c-{number}",
        invoice_id=f"i-{number}",
        amount_minor=4_900,
        currency="USD",
    )


def test_what_is_not_registered_is_named_and_people_register_it_once(url: str, topic_prefix: str) -> None:
    environment = _environment(url, topic_prefix)
    before = run.invoke(app, ["schemas", "check"], env=environment)
    assert before.exit_code == ExitCode.REGISTRY
    assert before.stdout.count("is not registered") == SUBJECTS
    first = run.invoke(app, ["schemas", "register"], env=environment)
    assert first.exit_code == ExitCode.OK, first.output
    assert first.stdout.count("registered ") == SUBJECTS
    again = run.invoke(app, ["schemas", "register"], env=environment)
    assert (again.exit_code, again.stdout) == (ExitCode.OK, "")
    after = run.invoke(app, ["schemas", "check", "--output", "json"], env=environment)
    assert after.exit_code == ExitCode.OK, after.output
    rows = json.loads(after.stdout)
    assert {row["subject"] for row in rows} == {
        f"{topic_prefix}{topic.name}-value" for topic in TOPICS if topic.struct is not None
    }
    assert all(row["id"] > 0 and not row["problems"] for row in rows)


def test_all_that_differs_is_told_at_once_and_nothing_is_registered(url: str, topic_prefix: str) -> None:
    registry = Registry(url, topic_prefix=topic_prefix)
    theirs = present_schema(FAILED)
    for field in theirs["fields"]:
        if field["name"] == "amount_minor":
            field["type"] = "string"
        if field["name"] == "invoice_id":
            field["name"] = "invoice"
    registry.register(f"{FAILED}-value", json.dumps(theirs))
    environment = _environment(url, topic_prefix)
    checked = run.invoke(app, ["schemas", "check", "--output", "jsonl"], env=environment)
    assert checked.exit_code == ExitCode.REGISTRY
    problems = next(
        row["problems"] for row in map(json.loads, checked.stdout.splitlines()) if FAILED in row["subject"]
    )
    assert any("version 1: amount_minor: " in problem for problem in problems)
    assert any("version 1: invoice_id: " in problem for problem in problems)
    refused = run.invoke(app, ["schemas", "register"], env=environment)
    assert refused.exit_code == ExitCode.REGISTRY
    assert "amount_minor" in refused.stderr
    assert "invoice_id" in refused.stderr
    assert registry.versions("billing.card-updated.v1-value") == []


def test_a_new_subject_is_kept_compatible_by_the_registry_itself(url: str, topic_prefix: str) -> None:
    registry = Registry(url, topic_prefix=topic_prefix)
    schema = present_schema(FAILED)
    registry.register(f"{FAILED}-value", json.dumps(schema))
    assert registry._client.get_compatibility(registry.name(f"{FAILED}-value")) == COMPATIBILITY
    schema["fields"].append({"name": "new", "type": "string", "doc": "Without a default."})
    assert not registry.accepts(f"{FAILED}-value", json.dumps(schema))
    with pytest.raises(RegistryError, match="409"):
        registry.register(f"{FAILED}-value", json.dumps(schema))


def test_values_are_framed_with_the_registrys_ids_and_read_by_them(url: str, topic_prefix: str) -> None:
    assert run.invoke(app, ["schemas", "register"], env=_environment(url, topic_prefix)).exit_code == 0
    registry = Registry(url, topic_prefix=topic_prefix)
    value = Encoder(ids=registry).encode(_event(1))
    assert value[0] == CONFLUENT_MAGIC
    assert json.loads(registry.schema(confluent_schema_id(value))) == present_schema(FAILED)
    assert Decoder(source=registry).read(FAILED, value) == _event(1)
    with pytest.raises(LookupError):
        registry.schema(1_000_000)


def test_what_others_wrote_with_an_older_schema_is_read(url: str, topic_prefix: str) -> None:
    """Confluent's own serializer, with a schema that lacks our newest fields and has one of its own."""
    schema_registry = pytest.importorskip("confluent_kafka.schema_registry")
    avro = pytest.importorskip("confluent_kafka.schema_registry.avro")
    serialization = pytest.importorskip("confluent_kafka.serialization")
    theirs = present_schema(FAILED)
    theirs["fields"] = [field for field in theirs["fields"] if field["name"] != "pay_url"]
    theirs["fields"].append({"name": "shop", "type": "string", "doc": "Theirs."})
    serializer = avro.AvroSerializer(schema_registry.SchemaRegistryClient({"url": url}), json.dumps(theirs))
    values = {
        "event_id": "e-1",
        "occurred_at": NOON,
        "customer_id": "c-1",
        "invoice_id": "i-1",
        "amount_minor": 4_900,
        "currency": "USD",
        "customer_initiated": False,
        "shop": "Kiel",
    }
    context = serialization.SerializationContext(f"{topic_prefix}{FAILED}", serialization.MessageField.VALUE)
    value = serializer(values, context)
    assert Decoder(source=Registry(url, topic_prefix=topic_prefix)).read(FAILED, value) == _event(1)


def test_a_registry_that_is_not_there_is_named() -> None:
    registry = Registry("http://127.0.0.1:1")
    with pytest.raises(RegistryError, match=r"http://127\.0\.0\.1:1"):
        registry.schema(1)
    done = run.invoke(app, ["schemas", "check"], env=_environment("http://127.0.0.1:1", ""))
    assert done.exit_code == ExitCode.REGISTRY
    assert "http://127.0.0.1:1" in done.stderr


@pytest.mark.kafka
def test_a_worker_starts_with_registered_schemas_only_and_speaks_the_wire_format(
    kafka: str, url: str, topic_prefix: str, tmp_path: Path
) -> None:
    deployment = Deployment(kafka, topic_prefix, tmp_path)
    try:
        early = deployment.start(schema_registry_url=url)
        assert early.wait() == WorkerExitCode.CONFIGURATION
        assert "`dunning schemas register` registers it" in early.log.read_text()
        registry = Registry(url, topic_prefix=topic_prefix)
        assert registry.versions("dunning.decision.v1-value") == [], "a worker registers nothing"
        assert run.invoke(app, ["schemas", "register"], env=_environment(url, topic_prefix)).exit_code == 0

        deployment.workers.clear()
        deployment.start(schema_registry_url=url)
        deployment.encoder = Encoder(ids=registry)
        for number in range(3):
            deployment.send(Arrival(NOON, _event(number)))
        # Whoever has not moved to the registry yet goes on.
        deployment.encoder = Encoder()
        deployment.send(Arrival(NOON, _event(3)))
        deployment.wait_until_done()
        decoder = Decoder(source=registry)
        command = topic_of_kind("notification-command").name
        for topic in OUTPUTS:
            assert all(
                (each.value() or b"?")[0] == CONFLUENT_MAGIC for each in deployment.messages(topic.name)
            )
        sent = [decoder.read(command, each.value()) for each in deployment.messages(command)]
        assert {each.customer_id for each in sent if isinstance(each, NotificationCommand)} == {
            f"c-{number}" for number in range(4)
        }
    finally:
        deployment.close()


@pytest.mark.kafka
def test_a_registry_that_goes_away_loses_no_record(kafka: str, topic_prefix: str, tmp_path: Path) -> None:
    deployment = Deployment(kafka, topic_prefix, tmp_path)
    try:
        with apicurio(tmp_path / "apicurio.log") as url:
            assert (
                run.invoke(app, ["schemas", "register"], env=_environment(url, topic_prefix)).exit_code == 0
            )
            worker = deployment.start(schema_registry_url=url)
            deployment.encoder = Encoder(ids=Registry(url, topic_prefix=topic_prefix))
            value = deployment.encoder.encode(_event(1))
            deployment.send_raw(FAILED, b"nobody", b"bad")
            deployment.wait_until_done()
        _produce(kafka, topic_prefix + FAILED, value)
        assert worker.wait() == WorkerExitCode.BROKER
        assert "the schema registry at" in worker.log.read_text()
        assert len(deployment.dead_letters()) == 1, "the good record is no dead letter"
        assert deployment.lag() == 1
    finally:
        deployment.close()


def _produce(servers: str, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": servers})
    producer.produce(topic, value, b"c-1", timestamp=int(NOON.timestamp() * 1000))
    assert producer.flush(30) == 0
