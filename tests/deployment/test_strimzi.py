"""Topics and users for Strimzi: what the code says, in the form that the operator takes."""

import re
from typing import Any

import pytest

from streams.messages.access import Principal, grants
from streams.messages.tables import TABLES
from streams.messages.topics import DEFAULT_PARTITIONS, TOPICS, Cleanup

from .files import DEPLOY, documents

TOPIC_FIELDS = {"partitions", "replicas", "config"}
# RFC 1123, as Kubernetes wants the name of a resource; a topic with another would need `topicName`.
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@pytest.fixture(scope="module")
def topics() -> dict[str, dict[str, Any]]:
    found = documents((DEPLOY / "strimzi/topics.yaml").read_text())
    return {each["metadata"]["name"]: each for each in found}


@pytest.fixture(scope="module")
def users() -> dict[str, dict[str, Any]]:
    found = documents((DEPLOY / "strimzi/users.yaml").read_text())
    return {each["metadata"]["name"]: each for each in found}


def test_every_topic_and_changelog_is_there_once(topics: dict[str, dict[str, Any]]) -> None:
    changelogs = {f"dunning-{table}-changelog" for table in TABLES}
    assert set(topics) == {topic.name for topic in TOPICS} | changelogs
    assert all(NAME.fullmatch(name) for name in topics)
    for each in topics.values():
        assert (each["apiVersion"], each["kind"]) == ("kafka.strimzi.io/v1", "KafkaTopic")
        assert set(each["spec"]) == TOPIC_FIELDS
        assert each["spec"]["partitions"] == DEFAULT_PARTITIONS
        assert each["spec"]["replicas"] == 3


def test_topics_are_kept_as_the_contract_says(topics: dict[str, dict[str, Any]]) -> None:
    for topic in TOPICS:
        config = topics[topic.name]["spec"]["config"]
        assert config["cleanup.policy"] == topic.cleanup.value
        assert config["retention.ms"] == str(topic.retention_ms)
        assert config.get("min.compaction.lag.ms", "0") == str(topic.compaction_lag_ms)
        assert (topic.retention_ms == -1) == (topic.cleanup is Cleanup.COMPACT)
    assert topics["dunning-customers-changelog"]["spec"]["config"]["cleanup.policy"] == "compact"


def test_no_setting_is_a_number_that_yaml_or_the_operator_could_change(
    topics: dict[str, dict[str, Any]],
) -> None:
    values = [value for each in topics.values() for value in each["spec"]["config"].values()]
    assert all(isinstance(value, str) for value in values)


def test_users_have_the_rights_of_their_principal_and_no_other(users: dict[str, dict[str, Any]]) -> None:
    assert set(users) == {f"dunning-{principal}" for principal in Principal}
    for principal in Principal:
        spec = users[f"dunning-{principal}"]["spec"]
        assert spec["authentication"] == {"type": "scram-sha-512"}
        assert spec["authorization"]["type"] == "simple"
        found = {
            (
                entry["resource"]["type"],
                entry["resource"]["name"],
                entry["resource"]["patternType"],
                operation,
            )
            for entry in spec["authorization"]["acls"]
            for operation in entry["operations"]
        }
        assert found == {
            (grant.kind, grant.name, "prefix" if grant.is_prefix else "literal", operation)
            for grant in grants(principal)
            for operation in grant.operations
        }


def test_the_operator_knows_the_words(users: dict[str, dict[str, Any]]) -> None:
    """The enumerations of the resource `KafkaUser`, version v1."""
    entries = [acl for each in users.values() for acl in each["spec"]["authorization"]["acls"]]
    assert {each["resource"]["type"] for each in entries} <= {"topic", "group", "cluster", "transactionalId"}
    assert {word for each in entries for word in each["operations"]} <= {
        *("Read", "Write", "Create", "Delete", "Alter", "Describe", "ClusterAction", "AlterConfigs"),
        *("DescribeConfigs", "IdempotentWrite", "All"),
    }
