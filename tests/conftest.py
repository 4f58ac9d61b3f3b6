"""What every test may ask for: a broker, names of its own, topics."""

import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from hypothesis import settings

from streams.broker import LocalKafka

METADATA_TIMEOUT_SECONDS = 30.0

settings.register_profile("ci", derandomize=True, print_blob=True, deadline=None)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


class CreateTopics(Protocol):
    """Creates topics and returns when every partition has a leader."""

    def __call__(
        self, topics: Sequence[str], *, partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> None: ...


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap servers of the session's broker; tests share it, so each uses names of its own."""
    given = os.environ.get("DUNNING_TEST_BOOTSTRAP_SERVERS")
    if given:
        yield given
        return
    with LocalKafka.start() as broker:
        yield broker.bootstrap_servers


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics, groups and transactional ids that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}."


@pytest.fixture
def create_topics(kafka: str) -> CreateTopics:
    """A callable that creates topics on the session's broker."""
    admin = AdminClient({"bootstrap.servers": kafka})

    def create(
        topics: Sequence[str], *, partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> None:
        wanted = [
            NewTopic(topic, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
            for topic in topics
        ]
        for future in admin.create_topics(wanted).values():
            future.result(METADATA_TIMEOUT_SECONDS)
        deadline = time.monotonic() + METADATA_TIMEOUT_SECONDS
        while not all(_is_ready(admin, topic, partitions) for topic in topics):
            if time.monotonic() > deadline:
                pytest.fail(
                    f"no leaders within {METADATA_TIMEOUT_SECONDS:.0f} s for the topics {list(topics)}"
                )
            time.sleep(0.02)

    return create


def _is_ready(admin: AdminClient, topic: str, partitions: int) -> bool:
    metadata = admin.list_topics(topic, timeout=METADATA_TIMEOUT_SECONDS).topics[topic]
    return len(metadata.partitions) == partitions and all(
        partition.leader >= 0 for partition in metadata.partitions.values()
    )
