"""All topics of a deployment: those that are declared are those that the commands and the workers make."""

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

from streams.app import build_app
from streams.cli.cluster_topics import _wait_for_leaders, create_topics
from streams.deployment.topics import DeployedTopic, deployed_topics
from streams.engine.cluster import LibrdkafkaCluster
from streams.messages.tables import TABLES
from streams.messages.topics import TICKS, TOPICS
from streams.settings import Settings, load_settings


def settings(servers: str = "127.0.0.1:9092", prefix: str = "test.") -> Settings:
    return load_settings(
        {
            "DUNNING_BOOTSTRAP_SERVERS": servers,
            "DUNNING_APPLICATION_ID": f"{prefix}billing",
            "DUNNING_TOPIC_PREFIX": prefix,
            "DUNNING_STORE": "memory",
        }
    )


def test_all_topics_are_there_and_the_changelogs_are_those_of_the_worker() -> None:
    given = settings()
    tables = build_app(given).tables.values()
    changelogs = {table.changelog_topic.get_topic_name() for table in tables}
    found = {topic.name: topic for topic in deployed_topics(given, partitions=3)}
    assert set(found) == {f"test.{topic.name}" for topic in TOPICS} | changelogs
    assert {topic.partitions for topic in found.values()} == {3}
    assert {found[name].config["cleanup.policy"] for name in changelogs} == {"compact"}


@pytest.mark.kafka
def test_what_is_declared_is_what_the_command_and_the_worker_make(kafka: str, topic_prefix: str) -> None:
    given = settings(kafka, topic_prefix)
    admin = AdminClient({"bootstrap.servers": kafka})
    create_topics(admin, prefix=topic_prefix, virtual_time=False, partitions=2, replication=1)
    engine = given.engine(TICKS.name)
    cluster = LibrdkafkaCluster(engine)
    for table in TABLES:
        cluster.create_changelog(engine.changelog(table), 2)
    _wait_for_leaders(admin, [engine.changelog(table) for table in TABLES])
    for topic in deployed_topics(given, partitions=2):
        assert made(admin, topic) == topic


def made(admin: AdminClient, topic: DeployedTopic) -> DeployedTopic:
    """The topic as the broker has it, as far as its settings are declared."""
    resource = ConfigResource(ResourceType.TOPIC, topic.name)
    entries = admin.describe_configs([resource])[resource].result(20)
    partitions = admin.list_topics(topic.name, timeout=20).topics[topic.name].partitions
    config = {name: entries[name].value for name in topic.config}
    return DeployedTopic(topic.name, len(partitions), config)
