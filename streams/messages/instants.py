"""Moments as Kafka and Avro count them: from the epoch on, in UTC."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The moment of so many microseconds since the epoch (UTC). Raises OverflowError out of range."""
    return EPOCH + timedelta(microseconds=micros)


def from_millis(millis: int) -> datetime:
    """The moment of a record's timestamp in milliseconds (UTC). Raises OverflowError out of range."""
    return EPOCH + timedelta(milliseconds=millis)
