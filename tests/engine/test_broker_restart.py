"""The broker is killed and comes back under load."""

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.broker import LocalKafka
from streams.engine import ExitCode

from .harness import Cluster, feed

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_the_broker_is_killed_and_comes_back(tmp_path: Path) -> None:
    with LocalKafka.start() as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})

        def create(
            topics: Sequence[str], *, partitions: int, config: Mapping[str, str] | None = None
        ) -> None:
            new = [NewTopic(name, partitions, 1, config=dict(config or {})) for name in topics]
            for future in admin.create_topics(new).values():
                future.result(30)

        cluster = Cluster(broker.bootstrap_servers, "restart.", tmp_path, create)
        try:
            chance = random.Random(5)
            feed(cluster, 20_000, chance)
            worker = cluster.start(max_records=50, session_timeout_seconds=30)
            worker.wait_until_said("^committed", times=5)
            broker.kill()
            time.sleep(1)
            broker.restart()
            feed(cluster, 1_000, chance)
            cluster.wait_until_done(90)
            assert worker.stop() == ExitCode.OK, worker.log.read_text()[-3000:]
            assert cluster.verify() == 21_000
        finally:
            cluster.close()
