"""`dunning tail`: what the worker says, as it says it."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
import typer
from confluent_kafka import Message
from msgspec import Struct

from streams.cli.clients import client_properties, command_settings, connect
from streams.cli.console import Format, Output, print_json_array, print_json_lines, print_line, print_table
from streams.cli.dead_letter_box import letter_of
from streams.cli.outputs import COLUMNS, moment, row
from streams.lab.outputs import OutputReader
from streams.lab.simulate import Output as SimulatedOutput
from streams.messages.card_numbers import mask
from streams.messages.codec import Decoder
from streams.messages.history import to_json_line
from streams.messages.instants import from_millis
from streams.messages.letters import Letter, Place
from streams.messages.topics import DEAD_LETTERS, topic_of_kind

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_POLL_SECONDS = 0.2


class Stream(StrEnum):
    """What can be watched."""

    COMMANDS = "commands"
    DECISIONS = "decisions"
    DLQ = "dlq"


_TOPICS: dict[Stream, tuple[str, ...]] = {
    Stream.COMMANDS: (topic_of_kind("notification-command").name, topic_of_kind("account-command").name),
    Stream.DECISIONS: (topic_of_kind("decision").name,),
    Stream.DLQ: (DEAD_LETTERS.name,),
}


@app.command(short_help="Print commands, decisions or dead letters from Kafka.")
def tail(
    stream: Annotated[Stream, typer.Argument(help="What to print.")],
    *,
    from_beginning: Annotated[
        bool | None,
        typer.Option(
            "--from-beginning/--from-end",
            show_default="the end; with --no-follow the beginning",
            help="Where to start.",
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Go on until Ctrl-C, or stop at the present end.")
    ] = True,
    output: Output = Format.JSONL,
) -> None:
    """Print what the worker has committed: commands, decisions, or dead letters.

    With --no-follow it is in order of time; while following, in order within a partition. Of dead letters,
    key and reason are shown and never the value: it may be there because a card number is in it.
    """
    settings = command_settings()
    connect(settings)
    names = {settings.topic(name): name for name in _TOPICS[stream]}
    beginning = not follow if from_beginning is None else from_beginning
    with OutputReader(client_properties(settings), list(names), from_beginning=beginning) as reader:
        decoder = Decoder(source=settings.registry())
        if not follow:
            _print_all(_read(reader.read_to_end(), names, decoder), output)
        while follow:
            for entry in _read(reader.poll(_POLL_SECONDS), names, decoder):
                _print_one(entry, output)
            sys.stdout.flush()


class DeadLetter(Struct, frozen=True, tag_field="type", tag="dead-letter"):
    """What is shown of a dead letter: why it is one, and where it came from."""

    reason: str
    field: str | None
    stage: str
    message: str
    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: str | None
    value_bytes: int | None


_Entry = SimulatedOutput | DeadLetter


def _read(messages: Iterable[Message], names: Mapping[str, str], decoder: Decoder) -> Iterator[_Entry]:
    for message in messages:
        topic = names[message.topic() or ""]
        if topic == DEAD_LETTERS.name:
            letter = letter_of(message)
            if isinstance(letter, Letter):
                yield _dead_letter(letter)
        else:
            yield decoder.read(topic, message.value())


def _dead_letter(letter: Letter) -> DeadLetter:
    origin = letter.origin or Place("", -1, -1)
    return DeadLetter(
        reason=letter.reason,
        field=letter.field,
        stage=letter.stage,
        message=letter.message,
        topic=origin.topic,
        partition=origin.partition,
        offset=origin.offset,
        timestamp=from_millis(letter.timestamp_ms),
        key=None if letter.key is None else mask(letter.key.decode(errors="backslashreplace")),
        value_bytes=None if letter.value is None else len(letter.value),
    )


def _json(entry: _Entry) -> str:
    return msgspec.json.encode(entry).decode() if isinstance(entry, DeadLetter) else to_json_line(entry)


def _rows(entry: _Entry) -> Iterator[tuple[str, ...]]:
    if not isinstance(entry, DeadLetter):
        yield from row(entry)
        return
    origin = f"{entry.topic}[{entry.partition}]@{entry.offset}"
    yield moment(entry.timestamp), entry.key or "-", entry.reason, origin, entry.message


def _print_all(entries: Iterable[_Entry], output: Format) -> None:
    if output is Format.TABLE:
        print_table(COLUMNS, (line for entry in entries for line in _rows(entry)))
    elif output is Format.JSON:
        print_json_array(map(_json, entries))
    else:
        print_json_lines(map(_json, entries))


def _print_one(entry: _Entry, output: Format) -> None:
    """While following there is no end that an array or a table's width could wait for."""
    if output is Format.TABLE:
        for line in _rows(entry):
            print_line("  ".join(line))
    else:
        print_line(_json(entry))
