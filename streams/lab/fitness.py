"""Whether a cluster's topics can take a history in virtual time; asked before anything is published."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)

from streams.messages.instants import from_millis
from streams.messages.topics import INPUTS, LEASES, TICKS

_RETRY_SECONDS = 0.05
_NOT_YET = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
}
_REQUEST_SECONDS = 30.0
_UNLIMITED = -1


class UnfitTopicsError(Exception):
    """The topics cannot take the history; the message says what to do.

    Attributes:
        problems: all that was found, one sentence each.
    """

    def __init__(self, problems: list[str], advice: str) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([*problems, advice]))


def check_topics(admin: AdminClient, prefix: str, start: datetime, end: datetime) -> int:
    """Check that a history from `start` to `end` can be published now.

    Args:
        admin: of the brokers.
        prefix: goes before the name of every topic.
        start: the arrival of its first event (UTC).
        end: its last tick (UTC).

    Returns:
        How many partitions each topic has.

    Raises:
        UnfitTopicsError: it cannot.
        KafkaException: the broker does not answer or refuses.
    """
    names = [prefix + topic.name for topic in (*INPUTS, TICKS, LEASES)]
    found = admin.list_topics(timeout=_REQUEST_SECONDS).topics
    counts = {name: len(found[name].partitions) for name in names if name in found}
    missing = [f"the topic {name} does not exist" for name in names if name not in counts]
    if missing or len(set(counts.values())) != 1:
        unlike = [f"{name} has {count} partitions" for name, count in counts.items()] if not missing else []
        raise UnfitTopicsError(missing + unlike, "Create them with `dunning topics create --virtual-time`.")
    partitions = counts[names[0]]
    _check_configuration(admin, names, start, end)
    _check_clock(admin, prefix + TICKS.name, partitions, start)
    return partitions


def _check_configuration(admin: AdminClient, names: list[str], start: datetime, end: datetime) -> None:
    """Old records would be deleted as they come, and records ahead of the broker's clock be refused."""
    now = datetime.fromtimestamp(time.time(), UTC)
    problems = []
    for name, config in _configurations(admin, names).items():
        retention = int(config["retention.ms"])
        if retention != _UNLIMITED and now - start > timedelta(milliseconds=retention):
            problems.append(
                f"{name} keeps records for {timedelta(milliseconds=retention)}: too short for {start}"
            )
        ahead = int(config.get("message.timestamp.after.max.ms", "0"))
        if (end - now) // timedelta(milliseconds=1) > ahead:
            problems.append(f"{name} refuses timestamps more than {timedelta(milliseconds=ahead)} ahead")
    if problems:
        raise UnfitTopicsError(
            problems,
            "Use topics made for it: `dunning topics create --virtual-time` on a fresh cluster or prefix.",
        )


def _configurations(admin: AdminClient, names: list[str]) -> Mapping[str, Mapping[str, str]]:
    futures = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in names])
    return {
        resource.name: {entry.name: entry.value for entry in future.result(_REQUEST_SECONDS).values()}
        for resource, future in futures.items()
    }


def _check_clock(admin: AdminClient, topic: str, partitions: int, start: datetime) -> None:
    """A partition's clock never goes back: with a later tick in it, every event would be decided at that."""
    latest = _latest_timestamp(admin, topic, partitions)
    if latest < 0:
        return
    tick = from_millis(latest)
    if tick > start:
        problem = (
            f"{topic} holds a tick of {tick:%Y-%m-%d %H:%M:%SZ}, and the history starts at "
            f"{start:%Y-%m-%d %H:%M:%SZ}: the worker's clock is already past it"
        )
        raise UnfitTopicsError(
            [problem],
            "A worker that makes its own ticks must run with DUNNING_TICKS=external instead. Then take fresh "
            "topics and a fresh state: another DUNNING_TOPIC_PREFIX and DUNNING_APPLICATION_ID, for the "
            "worker, too.",
        )


def _latest_timestamp(admin: AdminClient, topic: str, partitions: int) -> int:
    """The highest timestamp in a topic, in epoch milliseconds; -1 if it is empty.

    The leaders of a topic that was just created are in its metadata before they answer for it.
    """
    newest = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]
    asked = {TopicPartition(topic, number): newest for number in range(partitions)}
    deadline = time.monotonic() + _REQUEST_SECONDS
    while True:
        futures = admin.list_offsets(asked, request_timeout=_REQUEST_SECONDS)
        try:
            return max(int(future.result(_REQUEST_SECONDS).timestamp) for future in futures.values())
        except KafkaException as error:
            if error.args[0].code() not in _NOT_YET or time.monotonic() > deadline:
                raise
        time.sleep(_RETRY_SECONDS)
