"""The topics as the broker has them, against the topics as they should be."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from streams.messages.topics import TOPICS, topic_config

_REQUEST_SECONDS = 30.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """One topic as the broker has it.

    Attributes:
        topic: its name on this cluster.
        partitions: how many it has; None if it does not exist.
        problems: in which respects it is not as it should be.
    """

    topic: str
    partitions: int | None
    problems: tuple[str, ...]


def inspect_topics(
    admin: AdminClient, *, prefix: str, virtual_time: bool, partitions: int | None = None
) -> list[Finding]:
    """Compare all topics with the list.

    Args:
        admin: of the brokers.
        prefix: goes before the name of every topic.
        virtual_time: whether they should be fit for virtual time.
        partitions: how many each should have; None takes any number that all of them have.

    Raises:
        KafkaException: the broker does not answer or refuses.
    """
    found = admin.list_topics(timeout=_REQUEST_SECONDS).topics
    counts = {
        name: len(found[name].partitions)
        for name in (prefix + topic.name for topic in TOPICS)
        if name in found and found[name].error is None
    }
    wanted = partitions or max(counts.values(), default=0)
    configs = _configs(admin, counts)
    findings = []
    for topic in TOPICS:
        name = prefix + topic.name
        config = topic_config(topic, virtual_time=virtual_time)
        problems = tuple(_problems(counts.get(name), wanted, configs.get(name, {}), config))
        findings.append(Finding(name, counts.get(name), problems))
    return findings


def create_topics(
    admin: AdminClient, *, prefix: str, virtual_time: bool, partitions: int | None, replication: int
) -> list[str]:
    """Create the topics that do not exist; returns their names when each partition has a leader.

    Args:
        admin: of the brokers.
        prefix: goes before the name of every topic.
        virtual_time: whether they are to be fit for virtual time.
        partitions: how many each is to have; None takes the number of the list.
        replication: copies of each partition.

    Raises:
        KafkaException: the broker does not answer or refuses.
    """
    existing = admin.list_topics(timeout=_REQUEST_SECONDS).topics
    missing = [topic for topic in TOPICS if prefix + topic.name not in existing]
    if not missing:
        return []
    futures = admin.create_topics(
        [
            NewTopic(
                prefix + topic.name,
                num_partitions=partitions or topic.partitions,
                replication_factor=replication,
                config=topic_config(topic, virtual_time=virtual_time),
            )
            for topic in missing
        ]
    )
    for future in futures.values():
        try:
            future.result(_REQUEST_SECONDS)
        except KafkaException as error:
            # Somebody else was faster.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    created = [prefix + topic.name for topic in missing]
    _wait_for_leaders(admin, created)
    return created


def _problems(
    count: int | None, wanted: int, actual: Mapping[str, str], config: Mapping[str, str]
) -> Iterator[str]:
    if count is None:
        yield "is missing"
        return
    if count != wanted:
        yield f"has {count} partitions, not {wanted}"
    for name, value in config.items():
        if actual.get(name) != value:
            yield f"{name} is {actual.get(name)}, not {value}"


def _configs(admin: AdminClient, names: Iterable[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    if not resources:
        return {}
    futures = admin.describe_configs(resources)
    return {
        resource.name: {entry.name: entry.value for entry in future.result(_REQUEST_SECONDS).values()}
        for resource, future in futures.items()
    }


def _wait_for_leaders(admin: AdminClient, names: Iterable[str]) -> None:
    deadline = time.monotonic() + _REQUEST_SECONDS
    waiting = set(names)
    while waiting:
        found = admin.list_topics(timeout=_REQUEST_SECONDS).topics
        waiting -= {
            name
            for name in waiting
            if name in found
            and found[name].partitions
            and all(partition.leader >= 0 for partition in found[name].partitions.values())
        }
        if waiting and time.monotonic() > deadline:
            raise KafkaException(
                KafkaError(KafkaError.LEADER_NOT_AVAILABLE, f"no leader for {', '.join(sorted(waiting))}")
            )
        if waiting:
            time.sleep(_POLL_SECONDS)
