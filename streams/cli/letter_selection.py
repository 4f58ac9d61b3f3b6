"""Which dead letters a command is about: the options that `dunning dlq` shares."""

import re
from datetime import datetime
from typing import Annotated

import typer
from msgspec import Struct

from streams.cli.parameters import parse_moment
from streams.messages.errors import BadRecordCode
from streams.messages.instants import from_millis
from streams.messages.letters import Letter, LetterId

_LETTER = re.compile(r"([0-9]{1,9}):([0-9]{1,18})")


def parse_letter(text: str) -> LetterId:
    """A letter's place in the topic of dead letters.

    Raises:
        typer.BadParameter: It is none.
    """
    found = _LETTER.fullmatch(text)
    if found is None:
        raise typer.BadParameter(
            f"{text!r} is no PARTITION:OFFSET such as 3:17, as `dunning dlq list` shows it"
        )
    return LetterId(int(found[1]), int(found[2]))


class Selection(Struct, frozen=True):
    """What a letter must satisfy; what is not given, every letter satisfies.

    Attributes:
        letters: it is one of these; empty if not given.
        topic: its record was read there.
        partition: likewise.
        offset: likewise.
        reason: why it is a dead letter.
        key: the record's, as text.
        since: the record's time (UTC) is this or later.
        until: the record's time is before this.
    """

    letters: frozenset[LetterId] = frozenset()
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    reason: BadRecordCode | None = None
    key: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def selects(self) -> bool:
        """Whether anything is given."""
        return self != Selection()

    def matches(self, letter: Letter, topic_prefix: str) -> bool:
        """Whether it is about the letter; the topic may be given with or without the cluster's prefix."""
        topic, partition, offset = letter.origin or (None, None, None)
        at = from_millis(letter.timestamp_ms)
        return (
            (not self.letters or letter.id in self.letters)
            and (self.topic is None or topic in (self.topic, topic_prefix + self.topic))
            and self.partition in (None, partition)
            and self.offset in (None, offset)
            and self.reason in (None, letter.reason)
            and (self.key is None or letter.key == self.key.encode())
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
        )


Letters = Annotated[
    list[LetterId] | None,
    typer.Argument(
        parser=parse_letter,
        metavar="LETTER",
        show_default="all",
        help="PARTITION:OFFSET of a letter, as `dunning dlq list` shows it.",
    ),
]
Topic = Annotated[
    str | None, typer.Option("--topic", metavar="TOPIC", help="Records that were read from this topic.")
]
Partition = Annotated[
    int | None, typer.Option("--partition", min=0, help="Records that were read from this partition.")
]
Offset = Annotated[int | None, typer.Option("--offset", min=0, help="Records that were read at this offset.")]
Why = Annotated[BadRecordCode | None, typer.Option("--reason", help="Why they could not be used.")]
Key = Annotated[str | None, typer.Option("--key", metavar="TEXT", help="Records with this key.")]
Since = Annotated[
    datetime | None,
    typer.Option("--since", parser=parse_moment, metavar="TIME", help="Records of this time or later."),
]
Before = Annotated[
    datetime | None,
    typer.Option("--until", parser=parse_moment, metavar="TIME", help="Records of before this time."),
]
