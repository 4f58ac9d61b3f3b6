"""Dead letters on a real Kafka: shown without what is private, sent again as they were, each once."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Message, Producer
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from streams.cli.app import app
from streams.cli.dead_letter_box import DeadLetterWriter, read_letters
from streams.cli.errors import CommandError
from streams.cli.exit_codes import ExitCode
from streams.dunning.events import Feedback
from streams.lab.outputs import OutputReader
from streams.messages.codec import Encoder
from streams.messages.dead_letters import Header, Stage, dead_letter
from streams.messages.errors import BadRecord, BadRecordCode
from streams.messages.examples import EXAMPLES
from streams.messages.letters import Fate, Letter, LetterId
from streams.messages.topics import DEAD_LETTERS
from streams.settings import Settings, load_settings

# In parts, so that no text of this project looks like a card's number.
CARD_NUMBER = "4111" + "1111" * 3
NOON_MS = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp() * 1000)
FEEDBACK = "notifications.feedback.v1"
PRIVATE = "please call my mother"
OWN: list[Header] = [
    ("ce_id", b"feedback-1"),
    ("ce_id", b"twice"),
    ("empty", None),
    ("traceparent", b"00-ab"),
]


class Read(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    timestamp: int


class Box:
    """One test's topics, and the commands on them."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self.kafka = kafka
        self.prefix = prefix
        self.environment = {
            "DUNNING_BOOTSTRAP_SERVERS": kafka,
            "DUNNING_TOPIC_PREFIX": prefix,
            "DUNNING_APPLICATION_ID": prefix.rstrip("."),
        }
        assert self.run("topics", "create", "--partitions", "2").exit_code == ExitCode.OK

    @property
    def settings(self) -> Settings:
        return load_settings(self.environment)

    def run(self, *command: str) -> Result:
        return CliRunner().invoke(app, list(command), env=self.environment)

    def dlq(self, *command: str, code: ExitCode = ExitCode.OK) -> list[dict[str, Any]]:
        result = self.run("dlq", *command, "--output", "jsonl")
        assert result.exit_code == code, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    def fill(self, *records: tuple[Read, BadRecord], to: int = 1) -> None:
        """Put dead letters into one partition, as a worker does."""
        producer = Producer({"bootstrap.servers": self.kafka})
        for record, error in records:
            letter = dead_letter(record, error, Stage.DECODE)
            producer.produce(
                self.prefix + DEAD_LETTERS.name,
                letter.value,
                letter.key,
                to,
                timestamp=letter.timestamp_ms or 0,
                headers=list(letter.headers),
            )
        assert producer.flush(20) == 0

    def record(self, offset: int, **changes: Any) -> Read:
        value = Encoder().encode(replace(EXAMPLES[Feedback], text=PRIVATE))
        return Read(self.prefix + FEEDBACK, 1, offset, b"ada", value, OWN, NOON_MS + offset)._replace(
            **changes
        )

    def sent(self, topic: str = FEEDBACK) -> list[Message]:
        client = {"bootstrap.servers": self.kafka}
        with OutputReader(client, [self.prefix + topic], from_beginning=True) as reader:
            return reader.read_to_end()


@pytest.fixture
def box(kafka: str, topic_prefix: str) -> Box:
    return Box(kafka, topic_prefix)


def bad(code: BadRecordCode = BadRecordCode.UNKNOWN_SCHEMA, field: str | None = None) -> BadRecord:
    return BadRecord(code, "no released schema has the fingerprint", field=field)


@pytest.mark.kafka
def test_letters_are_found_by_what_is_known_of_them_and_shown_without_what_is_private(box: Box) -> None:
    card = box.record(9, key=CARD_NUMBER.encode(), value=b"paid with " + CARD_NUMBER.encode(), partition=0)
    box.fill(
        (box.record(7), bad()),
        (card, bad(BadRecordCode.CARD_NUMBER, "text")),
        (box.record(8, topic=f"{box.prefix}dunning.tick.v1"), bad(BadRecordCode.PROCESSING_FAILED)),
    )
    assert [each["letter"] for each in box.dlq("list")] == ["1:0", "1:2", "1:1"]
    assert box.dlq("list", "--reason", "card_number") == [
        {
            "letter": "1:1",
            "time": "2026-03-02 12:00:00Z",
            "reason": "card_number",
            "field": "text",
            "origin": f"{box.prefix}{FEEDBACK}[0]@9",
            "replays": 0,
            "fate": "open",
        }
    ]
    found = {
        ("--topic", FEEDBACK): ["1:0", "1:1"],
        ("--topic", box.prefix + FEEDBACK): ["1:0", "1:1"],
        ("--partition", "1"): ["1:0", "1:2"],
        ("--partition", "1", "--offset", "7"): ["1:0"],
        ("--key", "ada"): ["1:0", "1:2"],
        ("--since", "2026-03-02T12:00:00.008Z"): ["1:2", "1:1"],
        ("--until", "2026-03-02T12:00:00.008Z"): ["1:0"],
        ("1:2", "1:0", "1:9"): ["1:0", "1:2"],
    }
    assert {given: [each["letter"] for each in box.dlq("list", *given)] for given in found} == found

    for output in ("table", "json", "jsonl"):
        closed = box.run("dlq", "show", "--output", output).stdout
        assert not [text for text in (PRIVATE, CARD_NUMBER, "ada", "feedback-1") if text in closed]
        opened = box.run("dlq", "show", "--value", "--output", output).stdout
        assert PRIVATE in opened
        assert "feedback-1" in opened
        assert CARD_NUMBER not in opened
    (shown,) = box.dlq("show", "1:0", "--value")
    assert (shown["key"], shown["value"]["text"], shown["value_bytes"]) == (
        "ada",
        PRIVATE,
        len(box.record(7).value or b""),
    )
    assert box.dlq("show", "1:2")[0]["message"] == "shown with --value"


@pytest.mark.kafka
def test_a_record_is_sent_again_as_it_was_and_once(box: Box) -> None:
    box.fill((box.record(7), bad()), (box.record(8, value=None), bad(BadRecordCode.NULL_VALUE)))
    (planned,) = box.dlq("replay", "--dry-run", "--reason", "unknown_schema")
    assert planned["fate"] == "would be replayed"
    assert box.sent() == []
    (done,) = box.dlq("replay", "--reason", "unknown_schema")
    assert (done["letter"], done["fate"]) == ("1:0", "replayed")
    (message,) = box.sent()
    record = box.record(7)
    assert (message.partition(), message.key(), message.value()) == (1, b"ada", record.value)
    assert message.timestamp()[1] == record.timestamp
    headers: Any = message.headers()
    assert headers[: len(OWN)] == OWN
    assert dict(headers[len(OWN) :]) == {
        "dunning.replay.count": b"1",
        "dunning.replay.origin": f"{box.prefix}{FEEDBACK}/1/7".encode(),
        "dunning.replay.letter": f"{box.prefix}{DEAD_LETTERS.name}/1/0".encode(),
    }
    again = box.run("dlq", "replay", "1:0")
    assert again.exit_code == ExitCode.OK
    assert "0 dead letters replayed" in again.stderr
    assert "1 more that match had been replayed or dropped before" in again.stderr
    assert len(box.sent()) == 1
    assert "no letter that matches: 0:3, 1:7" in box.run("dlq", "drop", "1:7", "0:3").stderr
    assert [each["letter"] for each in box.dlq("list")] == ["1:1"]
    assert [each["letter"] for each in box.dlq("list", "--fate", "replayed")] == ["1:0"]
    dropped = box.dlq("drop", "--all")
    assert [(each["letter"], each["fate"]) for each in dropped] == [("1:1", "dropped")]
    assert box.dlq("list") == []
    assert len(box.dlq("list", "--fate", "all")) == 2
    assert len(box.run("tail", "dlq", "--no-follow").stdout.splitlines()) == 2


@pytest.mark.kafka
def test_what_cannot_be_replayed_is_refused_and_the_rest_is_sent(box: Box) -> None:
    box.fill(
        (box.record(7, topic=f"{box.prefix}dunning.tick.v1"), bad()),
        (box.record(8, partition=2), bad()),
        (box.record(9, headers=[*OWN, ("dunning.replay.count", b"3")]), bad()),
        (box.record(10), bad()),
        (box.record(11), bad()),
    )
    assert [
        each["letter"]
        for each in box.dlq("replay", "--key", "ada", "--first", "1", "--dry-run", code=ExitCode.FAILED)
    ] == ["1:0"]
    fates = [each["fate"] for each in box.dlq("replay", "--all", "--first", "4", code=ExitCode.FAILED)]
    assert fates == [
        f"refused: {box.prefix}dunning.tick.v1 is no input that exists; only inputs are sent again",
        f"refused: {box.prefix}{FEEDBACK} has only 2 partitions",
        "refused: it has been sent again 3 times already and came back",
        "replayed",
    ]
    assert [each["letter"] for each in box.dlq("replay", "1:2", "1:4", "--most-replays", "4")] == [
        "1:2",
        "1:4",
    ]
    assert len(box.sent()) == 3


@pytest.mark.kafka
def test_of_two_writers_only_the_later_one_sends(box: Box) -> None:
    box.fill(*((box.record(offset), bad()) for offset in range(3)))
    with DeadLetterWriter(box.settings) as first:
        letters = [letter for letter, _ in read_letters(box.settings, lambda _: True)]
        with DeadLetterWriter(box.settings) as second:
            assert [letter.id for letter in second.finish(letters[:1], Fate.REPLAYED)] == [LetterId(1, 0)]
            with pytest.raises(CommandError, match="another `dunning dlq` has taken over"):
                list(first.finish(letters, Fate.REPLAYED))
    assert len(box.sent()) == 1
    assert len(box.dlq("list")) == 2


@pytest.mark.kafka
def test_a_writer_that_dies_within_a_transaction_leaves_the_letters_open(box: Box) -> None:
    box.fill((box.record(7), bad()))
    ((letter, _),) = read_letters(box.settings, lambda _: True)
    dying = DeadLetterWriter(box.settings)
    abandon(dying, letter)
    (done,) = box.dlq("replay", "--all")
    assert done["fate"] == "replayed"
    assert len(box.sent()) == 1


def abandon(writer: DeadLetterWriter, letter: Letter) -> None:
    """All of a transaction but its commit, as `kill -9` leaves it."""
    writer._producer.begin_transaction()
    writer._send_again(letter)
    assert writer._producer.flush(20) == 0


@pytest.mark.parametrize("command", [["replay"], ["drop"], ["replay", "--all", "--key", "ada"]])
def test_one_must_say_which(command: list[str]) -> None:
    result = CliRunner().invoke(app, ["dlq", *command])
    assert result.exit_code == ExitCode.USAGE
    assert "say which: letters or a filter, or --all and neither" in result.stderr


def test_a_letter_has_a_place() -> None:
    result = CliRunner().invoke(app, ["dlq", "show", "17"])
    assert result.exit_code == ExitCode.USAGE
    assert "'17' is no PARTITION:OFFSET such as 3:17" in result.stderr
