"""What a consumer's messages are: records, ends of partitions, and errors that librdkafka reports.

Hundreds of thousands of messages a second come through here, so what is asked of each is asked of all of them
at a time, which never comes back to Python between two messages.
"""

import logging
from collections.abc import Iterator, MutableMapping, Sequence
from itertools import groupby

from confluent_kafka import KafkaError, Message

from streams.engine.librdkafka import FATAL, fatal
from streams.engine.record import TopicPartition
from streams.engine.settings import EngineSettings

__all__ = ["check", "records_of", "runs"]

logger = logging.getLogger(__name__)


def check(settings: EngineSettings, step: str, error: KafkaError) -> None:
    """Raise an error that a client does not recover from, and log any other.

    Raises:
        FatalError: what the error means.
    """
    if error.fatal() or error.code() in FATAL:
        raise fatal(settings, step, error)
    # librdkafka recovers from the rest by itself; if it does not, the watchdog sees that nothing moves.
    logger.warning("Kafka reports while %s: %s", step, error)


def records_of(
    settings: EngineSettings,
    step: str,
    messages: Sequence[Message],
    ends: MutableMapping[TopicPartition, int],
) -> Sequence[Message]:
    """Those that are records; the ends of partitions that the others report are noted in ``ends``.

    Raises:
        FatalError: one of them is an error that the client does not recover from.
    """
    errors = list(map(Message.error, messages))
    if not any(errors):
        return messages
    records: list[Message] = []
    for error, message in zip(errors, messages, strict=True):
        if error is None:
            records.append(message)
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
            ends[_place_of(message)] = int(message.offset() or 0)
        else:
            check(settings, step, error)
    return records


def runs(records: Sequence[Message]) -> Iterator[tuple[TopicPartition, list[Message]]]:
    """Records in their order, in runs of one topic partition; one may come several times."""
    for _, of_number in groupby(records, Message.partition):
        for _, of_topic in groupby(of_number, Message.topic):
            run = list(of_topic)
            yield _place_of(run[0]), run


def _place_of(message: Message) -> TopicPartition:
    return TopicPartition(str(message.topic()), int(message.partition() or 0))
