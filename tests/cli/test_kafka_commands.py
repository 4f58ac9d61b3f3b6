"""The commands that talk to Kafka."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from streams.cli.app import app
from streams.cli.exit_codes import ExitCode
from streams.engine import ExitCode as WorkerExitCode
from streams.messages.codec import Encoder
from streams.messages.dead_letters import Stage, dead_letter
from streams.messages.errors import BadRecord, BadRecordCode
from streams.messages.examples import EXAMPLES
from streams.messages.topics import DEAD_LETTERS, OUTPUTS, TOPICS

run = CliRunner()
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
UNREACHABLE = {"DUNNING_BOOTSTRAP_SERVERS": "127.0.0.1:1"}


@pytest.fixture
def environment(kafka: str, topic_prefix: str) -> dict[str, str]:
    return {
        "DUNNING_BOOTSTRAP_SERVERS": kafka,
        "DUNNING_TOPIC_PREFIX": topic_prefix,
        "DUNNING_APPLICATION_ID": topic_prefix.rstrip("."),
    }


class SomeRecord:
    topic = "billing.payment-failed.v1"
    partition = 3
    offset = 17
    key = b"ada 4111111111111111"
    value = b"4111111111111111"
    headers = ()
    timestamp = int(NOON.timestamp() * 1000)


@pytest.mark.kafka
def test_topics_are_created_once_and_checked(environment: dict[str, str]) -> None:
    checked = run.invoke(app, ["topics", "check"], env=environment)
    assert checked.exit_code == ExitCode.TOPICS
    assert checked.stdout.count("is missing") == len(TOPICS)
    create = ["topics", "create", "--partitions", "2"]
    created = run.invoke(app, create, env=environment)
    assert created.exit_code == ExitCode.OK, created.stderr
    assert len(created.stdout.splitlines()) == len(TOPICS)
    again = run.invoke(app, create, env=environment)
    assert (again.exit_code, again.stdout) == (ExitCode.OK, "")
    assert run.invoke(app, ["topics", "check"], env=environment).exit_code == ExitCode.OK
    for wrong in (["--partitions", "3"], ["--virtual-time"]):
        result = run.invoke(app, ["topics", "check", "--output", "jsonl", *wrong], env=environment)
        assert result.exit_code == ExitCode.TOPICS
        assert all(json.loads(line)["problems"] for line in result.stdout.splitlines())


def test_the_list_of_topics_needs_no_broker() -> None:
    result = run.invoke(app, ["topics", "list", "--output", "json"], env=UNREACHABLE)
    assert [each["topic"] for each in json.loads(result.stdout)] == [topic.name for topic in TOPICS]


@pytest.mark.parametrize("command", [["topics", "check"], ["tail", "commands"], ["demo", "--days", "1"]])
def test_a_broker_that_does_not_answer(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.cli.clients.CONNECT_SECONDS", 0.5)
    result = run.invoke(app, command, env=UNREACHABLE)
    assert result.exit_code == ExitCode.BROKER
    assert "no Kafka answers at 127.0.0.1:1" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_worker_without_a_broker_says_where_it_looked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("streams.cli.worker.work", lambda _: WorkerExitCode.BROKER)
    result = run.invoke(app, ["worker"], env={**UNREACHABLE, "DUNNING_DATA_DIRECTORY": str(tmp_path)})
    assert result.exit_code == WorkerExitCode.BROKER
    assert "Kafka at 127.0.0.1:1 failed, or does not answer" in result.stderr
    assert "dunning kafka start" in result.stderr


def test_a_number_that_is_none_is_told_in_words() -> None:
    result = run.invoke(app, ["topics", "check", "--partitions", "many"])
    assert result.exit_code == ExitCode.USAGE
    assert "is 'many', and must be a whole number" in result.stderr


@pytest.mark.kafka
def test_tail_prints_what_is_there(environment: dict[str, str], kafka: str, topic_prefix: str) -> None:
    assert run.invoke(app, ["topics", "create", "--virtual-time"], env=environment).exit_code == ExitCode.OK
    encoder, producer = Encoder(), Producer({"bootstrap.servers": kafka})
    for topic in OUTPUTS:
        assert topic.struct is not None
        producer.produce(topic_prefix + topic.name, encoder.encode(EXAMPLES[topic.struct]))
    error = BadRecord(BadRecordCode.CARD_NUMBER, "a card number", field="decline_code")
    letter = dead_letter(SomeRecord(), error, Stage.DECODE)
    producer.produce(
        topic_prefix + DEAD_LETTERS.name,
        key=letter.key,
        value=letter.value,
        headers=list(letter.headers),
        timestamp=letter.timestamp_ms or 0,
    )
    producer.flush()

    def tailed(stream: str, output: str) -> str:
        result = run.invoke(app, ["tail", stream, "--no-follow", "--output", output], env=environment)
        assert result.exit_code == ExitCode.OK, result.stderr
        return result.stdout

    commands = [json.loads(line)["type"] for line in tailed("commands", "jsonl").splitlines()]
    assert sorted(commands) == ["account-command", "notification-command"]
    assert [each["type"] for each in json.loads(tailed("decisions", "json"))] == ["decision"]
    assert len(tailed("commands", "table").splitlines()) == 3
    for output in ("jsonl", "json", "table"):
        shown = tailed("dlq", output)
        assert "card_number" in shown
        assert "4111111111111111" not in shown
    (line,) = map(json.loads, tailed("dlq", "jsonl").splitlines())
    assert (line["type"], line["topic"], line["partition"], line["offset"]) == (
        "dead-letter",
        "billing.payment-failed.v1",
        3,
        17,
    )
    from_end = ["tail", "commands", "--no-follow", "--from-end"]
    assert run.invoke(app, from_end, env=environment).stdout == ""


@pytest.mark.kafka
def test_publishing_without_a_worker_says_so(environment: dict[str, str], tmp_path: Path) -> None:
    history = Path(__file__).parents[2] / "examples" / "out-of-order.jsonl"
    publish = ["publish", str(history), "--until", "2026-03-03", "--patience", "0.5"]
    unfit = run.invoke(app, publish, env=environment)
    assert unfit.exit_code == ExitCode.TOPICS
    assert "dunning topics create --virtual-time" in unfit.stderr
    run.invoke(app, ["topics", "create", "--virtual-time", "--partitions", "1"], env=environment)
    result = run.invoke(app, publish, env=environment)
    assert result.exit_code == ExitCode.NO_WORKER
    assert "DUNNING_TICKS=external" in result.stderr
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert run.invoke(app, ["publish", str(empty)], env=environment).exit_code == ExitCode.HISTORY
