"""Topics and users as the resources of Strimzi, which keeps a Kafka in Kubernetes as they say.

The format is that of the custom resources `KafkaTopic` and `KafkaUser`, version `kafka.strimzi.io/v1`.
"""

from collections.abc import Iterable
from typing import Any

import yaml

from streams.deployment.topics import IN_SYNC, REPLICATION, DeployedTopic, deployed_topics
from streams.messages.access import Grant, Principal, grants
from streams.settings import Settings

_API_VERSION = "kafka.strimzi.io/v1"
_CLUSTER = "kafka"

_HEAD = """# Made by `python -m streams.cli.docs` from {source}. Edit that, not this file.
# The Kafka of the label `strimzi.io/cluster` and the namespace are set by the kustomization beside it.
"""


def render_topics() -> str:
    """The file `deploy/strimzi/topics.yaml`."""
    head = _HEAD.format(source="streams/messages/topics.py and the engine's changelogs")
    return head + _documents(_topic(topic) for topic in deployed_topics(_default_settings()))


def render_users() -> str:
    """The file `deploy/strimzi/users.yaml`."""
    settings = _default_settings()
    head = _HEAD.format(source="streams/messages/access.py")
    return head + _documents(_user(principal, settings) for principal in Principal)


def _default_settings() -> Settings:
    """Whatever the environment says: the files are the same for everybody."""
    return Settings.model_construct()


def _topic(topic: DeployedTopic) -> dict[str, Any]:
    # Strimzi compares numbers as numbers and texts as texts; Kafka's own form is text.
    config = {**topic.config, "min.insync.replicas": str(IN_SYNC)}
    return {
        **_resource("KafkaTopic", topic.name),
        "spec": {"partitions": topic.partitions, "replicas": REPLICATION, "config": config},
    }


def _user(principal: Principal, settings: Settings) -> dict[str, Any]:
    application, prefix = settings.application_id, settings.topic_prefix
    given = grants(principal, application_id=application, topic_prefix=prefix, rekeyed=settings.rekeyed)
    return {
        **_resource("KafkaUser", f"{application}-{principal}"),
        "spec": {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {"type": "simple", "acls": list(map(_entry, given))},
        },
    }


def _entry(grant: Grant) -> dict[str, Any]:
    return {
        "resource": {
            "type": grant.kind.value,
            "name": grant.name,
            "patternType": "prefix" if grant.is_prefix else "literal",
        },
        "operations": [operation.value for operation in grant.operations],
    }


def _resource(kind: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": _API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": _CLUSTER}},
    }


def _documents(resources: Iterable[dict[str, Any]]) -> str:
    text: str = yaml.safe_dump_all(resources, sort_keys=False, explicit_start=True, width=110)
    return text
