"""`dunning dlq`: dead letters listed, shown, sent again or given up."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import typer

from streams.cli.clients import CONNECT_SECONDS, command_settings, connect
from streams.cli.console import Format, Output, note, print_line, print_rows, print_table
from streams.cli.dead_letter_box import DeadLetterWriter, read_letters
from streams.cli.exit_codes import ExitCode
from streams.cli.letter_selection import (
    Before,
    Key,
    Letters,
    Offset,
    Partition,
    Selection,
    Since,
    Topic,
    Why,
)
from streams.cli.outputs import moment
from streams.messages.card_numbers import mask
from streams.messages.codec import Decoder
from streams.messages.control_characters import visible
from streams.messages.errors import BadRecord, BadRecordCode, UnknownTopicError
from streams.messages.instants import from_millis
from streams.messages.letters import MOST_REPLAYS, Fate, Letter, refusal
from streams.messages.topics import INPUTS
from streams.settings import Settings

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="List dead letters, show them, send their records again, or give them up.",
)


class Shown(StrEnum):
    """Which letters are listed."""

    OPEN = "open"
    REPLAYED = "replayed"
    DROPPED = "dropped"
    ALL = "all"


First = Annotated[
    int | None,
    typer.Option("--first", min=1, show_default="all", help="Only so many, the oldest records first."),
]
All = Annotated[bool, typer.Option("--all", help="Every open letter; else say which.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing; print what would be done.")]


@app.command("list")
def list_letters(
    letters: Letters = None,
    *,
    topic: Topic = None,
    partition: Partition = None,
    offset: Offset = None,
    reason: Why = None,
    key: Key = None,
    since: Since = None,
    until: Before = None,
    fate: Annotated[Shown, typer.Option("--fate", help="What has become of them.")] = Shown.OPEN,
    output: Output = Format.TABLE,
) -> None:
    """List dead letters: why each is one and where its record was read. Nothing of the record is printed.

    A letter is open until it is replayed or dropped. Times are the records' own, in UTC.
    """
    settings = command_settings()
    chosen = Selection(frozenset(letters or ()), topic, partition, offset, reason, key, since, until)
    found = read_letters(settings, lambda letter: chosen.matches(letter, settings.topic_prefix))
    shown = [(letter, now) for letter, now in found if fate in (Shown.ALL, now)]
    print_rows([_listed(letter, str(now)) for letter, now in shown], output)
    _note_count(len(shown), "listed")


@app.command()
def show(
    letters: Letters = None,
    *,
    topic: Topic = None,
    partition: Partition = None,
    offset: Offset = None,
    reason: Why = None,
    key: Key = None,
    since: Since = None,
    until: Before = None,
    value: Annotated[
        bool,
        typer.Option(
            "--value", help="Print the record too, which may hold personal data; long numbers are masked."
        ),
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show all that is known of dead letters, and with --value their records' key, headers and value."""
    settings = command_settings()
    chosen = Selection(frozenset(letters or ()), topic, partition, offset, reason, key, since, until)
    found = read_letters(settings, lambda letter: chosen.matches(letter, settings.topic_prefix))
    decoder = Decoder(source=settings.registry(), json=settings.input_format == "json")
    described = [
        {**_described(letter, now), **(_record(letter, settings, decoder) if value else {})}
        for letter, now in found
    ]
    _print_each(described, output)
    _note_missing(chosen, found)


@app.command("replay")
def replay_letters(
    letters: Letters = None,
    *,
    topic: Topic = None,
    partition: Partition = None,
    offset: Offset = None,
    reason: Why = None,
    key: Key = None,
    since: Since = None,
    until: Before = None,
    every: All = False,
    first: First = None,
    most_replays: Annotated[
        int, typer.Option("--most-replays", min=1, help="Refuse what has been sent again so often already.")
    ] = MOST_REPLAYS,
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Send the records of open letters again, to the topic and partition where they were read.

    Key, value, timestamp and the record's own headers are what they were; headers `dunning.replay.*` are
    added. Each letter is replayed once: the record and the mark that it is done are one transaction, and of
    two commands at the same time the later one shuts the earlier one out. Mend the cause first: a record
    that is still bad comes back, and after --most-replays times it is refused. Exit code 1 if one is refused.
    """
    chosen = Selection(frozenset(letters or ()), topic, partition, offset, reason, key, since, until)
    _demand(chosen, every)
    settings = command_settings()
    counts = _partition_counts(settings)
    _finish(
        settings,
        Fate.REPLAYED,
        chosen,
        lambda letter: refusal(letter, partitions=counts, most_replays=most_replays),
        first=first,
        dry_run=dry_run,
        output=output,
    )


@app.command()
def drop(
    letters: Letters = None,
    *,
    topic: Topic = None,
    partition: Partition = None,
    offset: Offset = None,
    reason: Why = None,
    key: Key = None,
    since: Since = None,
    until: Before = None,
    every: All = False,
    first: First = None,
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Give open letters up: they are neither listed any more nor replayed.

    They stay in the topic until its retention deletes them.
    """
    chosen = Selection(frozenset(letters or ()), topic, partition, offset, reason, key, since, until)
    _demand(chosen, every)
    settings = command_settings()
    _finish(settings, Fate.DROPPED, chosen, lambda _: None, first=first, dry_run=dry_run, output=output)


def _demand(chosen: Selection, every: bool) -> None:
    if chosen.selects == every:
        raise typer.BadParameter("say which: letters or a filter, or --all and neither", param_hint="--all")


def _finish(
    settings: Settings,
    fate: Literal[Fate.REPLAYED, Fate.DROPPED],
    chosen: Selection,
    refuse: Callable[[Letter], str | None],
    *,
    first: int | None,
    dry_run: bool,
    output: Format,
) -> None:
    with nullcontext() if dry_run else DeadLetterWriter(settings) as writer:
        matching = read_letters(settings, lambda letter: chosen.matches(letter, settings.topic_prefix))
        found = [letter for letter, now in matching if now is Fate.OPEN][:first]
        refused = {letter.id: why for letter in found if (why := refuse(letter)) is not None}
        good = [letter for letter in found if letter.id not in refused]
        done = [] if writer else good
        what = str(fate) if writer else f"would be {fate}"
        try:
            if writer:
                done.extend(writer.finish(good, fate))
        finally:
            # What is committed is said, also when the rest could not be.
            fates = {letter.id: what for letter in done}
            fates |= {letter: f"refused: {why}" for letter, why in refused.items()}
            print_rows([_listed(letter, fates[letter.id]) for letter in found if letter.id in fates], output)
    _note_count(len(done), f"{what}, {len(refused)} refused")
    if finished := sum(now is not Fate.OPEN for _, now in matching):
        note(f"{finished} more that match had been replayed or dropped before")
    _note_missing(chosen, matching)
    if refused:
        raise typer.Exit(ExitCode.FAILED)


def _note_count(count: int, what: str) -> None:
    note(f"{count} dead letter{'' if count == 1 else 's'} {what}")


def _note_missing(chosen: Selection, found: Sequence[tuple[Letter, Fate]]) -> None:
    """Those that were named and are not there, or do not satisfy the rest."""
    if missing := sorted(chosen.letters - {letter.id for letter, _ in found}):
        note(f"no letter that matches: {', '.join(map(str, missing))}")


def _partition_counts(settings: Settings) -> dict[str, int]:
    """Of the inputs that exist, by their names on the cluster."""
    topics = connect(settings).list_topics(timeout=CONNECT_SECONDS).topics
    names = [settings.topic(topic.name) for topic in INPUTS]
    return {name: len(topics[name].partitions) for name in names if name in topics}


def _listed(letter: Letter, fate: str) -> dict[str, Any]:
    return {
        "letter": str(letter.id),
        "time": _time(letter),
        "reason": letter.reason or None,
        "field": letter.field,
        "origin": None if letter.origin is None else str(letter.origin),
        "replays": letter.replays,
        "fate": fate,
    }


def _described(letter: Letter, fate: Fate) -> dict[str, Any]:
    # Why a record is bad is said without its content; what an exception says is not ours.
    told = letter.message if letter.reason != BadRecordCode.PROCESSING_FAILED else "shown with --value"
    first = letter.first_origin
    return {
        **_listed(letter, str(fate)),
        "meaning": _MEANINGS.get(letter.reason),
        "stage": letter.stage,
        "error": letter.error,
        "message": told,
        "first_origin": None if first is None else str(first),
        "key_bytes": None if letter.key is None else len(letter.key),
        "value_bytes": None if letter.value is None else len(letter.value),
        "header_names": [name for name, _ in letter.headers],
    }


_MEANINGS: Mapping[str, str] = {code.value: code.meaning for code in BadRecordCode}


def _record(letter: Letter, settings: Settings, decoder: Decoder) -> dict[str, Any]:
    return {
        "message": mask(letter.message),
        "customer_id": None if letter.customer_id is None else mask(letter.customer_id),
        "key": _text(letter.key),
        "headers": [f"{name}: {_text(content)}" for name, content in letter.headers],
        "value": _value(letter, settings, decoder),
    }


def _value(letter: Letter, settings: Settings, decoder: Decoder) -> Any:
    """The record as JSON has it, or its bytes as text if it cannot be read."""
    topic = "" if letter.origin is None else letter.origin.topic.removeprefix(settings.topic_prefix)
    try:
        return _masked(msgspec.to_builtins(decoder.read(topic, letter.value)))
    except (BadRecord, UnknownTopicError):
        return _text(letter.value)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(name): _masked(each) for name, each in value.items()}
    return [_masked(each) for each in value] if isinstance(value, list | tuple) else value


def _text(content: bytes | None) -> str | None:
    return None if content is None else mask(visible(content.decode(errors="backslashreplace")))


def _time(letter: Letter) -> str:
    return moment(from_millis(letter.timestamp_ms))


def _print_each(described: Sequence[Mapping[str, Any]], output: Format) -> None:
    """For people one below the other; there is too much of each for a row."""
    if output is not Format.TABLE:
        print_rows(described, output)
        return
    for number, each in enumerate(described):
        if number:
            print_line("")
        print_table(("about", each["letter"]), ((name, _words(value)) for name, value in each.items()))


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    if isinstance(value, list):
        return "\n".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
