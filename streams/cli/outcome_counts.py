"""What a deployment has counted of the outcomes of dunning, read from the changelog of its table."""

from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException, Message

from streams.cli.deployment_state import changelog_records
from streams.cli.errors import CommandError
from streams.dunning.measures import Counts, Tally, add_up
from streams.dunning.outcome_bytes import decode_counts, decode_group
from streams.engine.codec import open_envelope
from streams.messages.tables import OUTCOMES
from streams.settings import Settings


def read_outcomes(settings: Settings) -> Counts:
    """The counts of all partitions up to now, added up; of what is committed only.

    Raises:
        CommandError: there are none, for no worker has run yet.
        KafkaException: the broker does not answer.
    """
    try:
        return added_up(changelog_records(settings, OUTCOMES))
    except KafkaException as error:
        if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise
        raise CommandError(
            f"nothing is counted yet: no worker of {settings.application_id} has run. --history reports on "
            "a file without one"
        ) from error


def added_up(changes: Iterable[Message]) -> Counts:
    """The counts of all partitions, added up, from the changelog's records; of each partition in order."""
    latest: dict[tuple[int, bytes], bytes] = {}
    for message in changes:
        key, value = message.key(), message.value()
        assert isinstance(key, bytes), "groups are MessagePack"
        if value is not None:
            latest[message.partition() or 0, key] = value
    counts: Counts = {}
    for (_, key), value in latest.items():
        group = decode_group(key)
        counted = decode_counts(open_envelope(value))
        add_up(counts, (Tally(group, measure, amount) for measure, amount in counted.items()))
    return counts
