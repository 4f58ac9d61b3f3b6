"""What becomes of records that cannot be used."""

from streams.engine import Batch, ConfigurationError, Output, Record
from streams.messages.dead_letters import DeadLetterLimit, Stage, dead_letter
from streams.messages.errors import BadRecord


class TooManyBadRecordsError(ConfigurationError):
    """So many of the recent records are bad that the deployment must be wrong, not the records."""


class Rejects:
    """Sends bad records to the dead letters, and stops the worker when there are too many.

    Args:
        topic: where dead letters go.
        limit: when there are too many.
    """

    def __init__(self, topic: str, limit: DeadLetterLimit) -> None:
        self._topic = topic
        self._limit = limit

    def accept(self) -> None:
        """A record was good."""
        self._limit.observe(bad=False)

    def reject(self, batch: Batch, record: Record, error: BadRecord) -> None:
        """Send a bad record to the dead letters, within the batch's round.

        Raises:
            TooManyBadRecordsError: too large a share of the recent records is bad.
        """
        self._limit.observe(bad=True)
        if self._limit.exceeded:
            raise TooManyBadRecordsError(
                f"{self._limit}; the last is {record.topic}[{record.partition}] offset {record.offset}: "
                f"{error}. Nothing of this round is committed. Look for a wrong topic, key or schema "
                "upstream, and start again"
            ) from error
        letter = self.letter(record, error, Stage.DECODE)
        batch.emit(
            letter.topic,
            key=letter.key,
            value=letter.value,
            headers=letter.headers,
            timestamp=letter.timestamp,
        )

    def poison(self, record: Record, error: BaseException) -> tuple[Output, ...]:
        """The dead letter of a good record whose processing has failed every time."""
        return (self.letter(record, error, Stage.DECIDE),)

    def letter(self, record: Record, error: BaseException, stage: Stage) -> Output:
        """The record as a dead letter."""
        key, value, headers, timestamp = dead_letter(record, error, stage)
        return Output(self._topic, key, value, headers, timestamp)
