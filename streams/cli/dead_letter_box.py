"""The dead letters on Kafka: read with what became of each; replayed or dropped, each once.

A letter counts as replayed by a mark that is committed in one transaction with the record that is sent again.
All who write marks do it under one transactional id. Whoever takes it (`DeadLetterWriter`) ends what another
has begun and shuts it out, and only then reads which letters are still open. So a letter is sent again once,
whoever dies or runs at the same time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.cli.clients import client_properties, connect
from streams.cli.errors import CommandError
from streams.cli.exit_codes import ExitCode
from streams.lab.outputs import OutputReader
from streams.messages.letters import (
    Fate,
    Letter,
    LetterId,
    Mark,
    mark_headers,
    read_letter,
    replay,
)
from streams.messages.topics import DEAD_LETTERS
from streams.settings import Settings

_SECONDS = 30.0
_FETCH_WAIT_SECONDS = 0.05
# Letters in one transaction. It bounds what a broker is asked to hold back from the workers at a time.
_MOST_TOGETHER = 500
_FENCED = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001 - the bindings' only name for it
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
    }
)


def letter_of(message: Message) -> Letter | Mark:
    """A record of the topic of dead letters."""
    key: Any = message.key()
    headers: Any = message.headers() or ()
    return read_letter(
        LetterId(message.partition() or 0, message.offset() or 0),
        key=key,
        value=message.value(),
        headers=headers,
        timestamp_ms=message.timestamp()[1],
    )


def read_letters(settings: Settings, wanted: Callable[[Letter], bool]) -> list[tuple[Letter, Fate]]:
    """Those letters that are wanted, and what became of each, in order of their records' time.

    Raises:
        CommandError: the topic is missing.
        KafkaException: the broker does not answer.
    """
    topic = settings.topic(DEAD_LETTERS.name)
    if topic not in connect(settings).list_topics(timeout=_SECONDS).topics:
        raise CommandError(
            f"the topic {topic} does not exist, or these credentials may not see it; `dunning topics create` "
            "makes it",
            ExitCode.TOPICS,
        )
    letters: dict[LetterId, Letter] = {}
    fates: dict[LetterId, Fate] = {}
    with OutputReader(
        client_properties(settings), [topic], from_beginning=True, fetch_wait_seconds=_FETCH_WAIT_SECONDS
    ) as reader:
        for message in reader.stream_to_end():
            found = letter_of(message)
            if isinstance(found, Mark):
                # The first one counts; it lies after its letter, in the same partition.
                if found.letter in letters:
                    fates.setdefault(found.letter, found.fate)
            elif wanted(found):
                letters[found.id] = found
    ordered = sorted(letters.values(), key=lambda letter: (letter.timestamp_ms, letter.id))
    return [(letter, fates.get(letter.id, Fate.OPEN)) for letter in ordered]


class DeadLetterWriter:
    """The right to deal with dead letters: a second writer takes it from the first.

    Args:
        settings: where Kafka is.

    Raises:
        CommandError: Kafka does not answer.
        KafkaException: it refuses.
    """

    def __init__(self, settings: Settings) -> None:
        connect(settings)
        self._topic = settings.topic(DEAD_LETTERS.name)
        self._producer = Producer(
            {**client_properties(settings), "transactional.id": f"{settings.application_id}-dlq"}
        )
        self._producer.init_transactions(_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._producer.purge()

    def finish(
        self, letters: Sequence[Letter], fate: Literal[Fate.REPLAYED, Fate.DROPPED]
    ) -> Iterator[Letter]:
        """Mark letters, in one transaction with their records sent again if they are replayed.

        Yields:
            Those that are committed.

        Raises:
            CommandError: another writer has taken over.
            KafkaException: the broker refuses; what was not yielded is not sent.
        """
        for first in range(0, len(letters), _MOST_TOGETHER):
            together = letters[first : first + _MOST_TOGETHER]
            with self._transaction():
                for letter in together:
                    if fate is Fate.REPLAYED:
                        self._send_again(letter)
                    self._producer.produce(
                        self._topic,
                        partition=letter.id.partition,
                        headers=list(mark_headers(Mark(letter.id, fate))),
                    )
            yield from together

    def _send_again(self, letter: Letter) -> None:
        again = replay(letter, self._topic)
        self._producer.produce(
            again.topic,
            again.value,
            again.key,
            again.partition,
            timestamp=again.timestamp_ms,
            headers=list(again.headers),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._producer.begin_transaction()
            try:
                yield
                self._producer.commit_transaction(_SECONDS)
            except BaseException as error:
                if not _is_fenced(error):
                    self._producer.abort_transaction(_SECONDS)
                raise
        except KafkaException as error:
            if not _is_fenced(error):
                raise
            raise CommandError(
                "another `dunning dlq` has taken over; what is not listed here was left to it"
            ) from error


def _is_fenced(error: BaseException) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() in _FENCED
