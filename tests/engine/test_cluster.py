"""Questions to the cluster go on being answered when its leaders have changed."""

import os
import signal
import time
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.broker import LocalKafka
from streams.engine import EngineSettings, TopicPartition
from streams.engine.cluster import LibrdkafkaCluster

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_a_leader_of_a_newer_epoch_answers(tmp_path: Path) -> None:
    """A client that asks with the epoch it knows is refused, and must find out about the new one."""
    with LocalKafka.start(directory=tmp_path) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
        admin.create_topics([NewTopic("in", 1, 1)])["in"].result(30)
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        producer.produce("in", b"1", partition=0)
        assert producer.flush(20) == 0
        cluster = LibrdkafkaCluster(
            EngineSettings(application_id="app", bootstrap_servers=broker.bootstrap_servers)
        )
        asked = TopicPartition("in", 0)
        assert cluster.end_offsets([asked], committed=True) == {asked: 1}
        os.kill(broker.pid, signal.SIGKILL)
        broker.restart()
        started = time.monotonic()
        assert cluster.end_offsets([asked], committed=True) == {asked: 1}
        assert time.monotonic() - started < 15
