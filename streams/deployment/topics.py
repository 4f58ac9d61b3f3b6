"""Every topic that a deployment needs on the broker: those of the contract, and the tables' changelogs."""

from collections.abc import Mapping

from msgspec import Struct

from streams.messages.tables import TABLES
from streams.messages.topics import DEFAULT_PARTITIONS, TICKS, TOPICS, topic_config
from streams.settings import Settings

REPLICATION = 3
"""Copies of each partition in production."""
IN_SYNC = 2
"""So many of them must have a record before it counts. With three copies one may fail and writing goes on."""


class DeployedTopic(Struct, frozen=True):
    """One topic as the broker should have it.

    Attributes:
        name: on the cluster.
        partitions: how many; the same number for all.
        config: its settings, those that are not the broker's to choose.
    """

    name: str
    partitions: int
    config: Mapping[str, str]


def deployed_topics(settings: Settings, *, partitions: int = DEFAULT_PARTITIONS) -> tuple[DeployedTopic, ...]:
    """All topics of a deployment with these settings, in real time."""
    engine = settings.engine(TICKS.name)
    return (
        *(
            DeployedTopic(settings.topic(topic.name), partitions, topic_config(topic, virtual_time=False))
            for topic in TOPICS
        ),
        *(
            DeployedTopic(engine.changelog(table), partitions, engine.changelog_topic_config)
            for table in TABLES
        ),
    )
