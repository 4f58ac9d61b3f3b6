import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.broker import InstallationError, LocalKafka, PortInUseError, StartError, process

pytestmark = pytest.mark.kafka

FAR_FUTURE_MS = 4_000_000_000_000
"""The year 2096."""


@pytest.fixture(scope="module")
def broker() -> Iterator[LocalKafka]:
    with LocalKafka.start() as running:
        yield running


def produce(bootstrap_servers: str, topic: str, *values: bytes, timestamp: int = 0) -> None:
    failures = []
    producer = Producer({"bootstrap.servers": bootstrap_servers})
    for value in values:
        producer.produce(
            topic,
            value,
            timestamp=timestamp,
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
    assert producer.flush(30) == 0
    assert not failures


def consume(bootstrap_servers: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": "reader", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        return [message.value() for message in consumer.consume(count, timeout=30)]
    finally:
        consumer.close()


def test_shared_broker_keeps_records_of_other_years(
    kafka: str, topic_prefix: str, create_topics: Callable[..., None]
) -> None:
    topic = topic_prefix + "records"
    create_topics([topic])
    produce(kafka, topic, b"1971", timestamp=40_000_000_000)
    produce(kafka, topic, b"2096", timestamp=FAR_FUTURE_MS)
    assert consume(kafka, topic, 2) == [b"1971", b"2096"]


def test_a_topic_is_not_created_by_a_typo(kafka: str, topic_prefix: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.list_topics(
        topic_prefix + "typo", timeout=10
    )  # a client's metadata request is what would create it
    assert topic_prefix + "typo" not in admin.list_topics(timeout=10).topics


def test_restart_after_kill_keeps_port_and_data(broker: LocalKafka) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    admin.create_topics([NewTopic("kept", 1)])["kept"].result(30)
    produce(broker.bootstrap_servers, "kept", b"before")
    port, pid = broker.port, broker.pid

    broker.kill()
    assert not broker.is_running
    broker.restart()

    assert broker.port == port
    assert broker.pid != pid
    produce(broker.bootstrap_servers, "kept", b"after")
    assert consume(broker.bootstrap_servers, "kept", 2) == [b"before", b"after"]


def test_a_port_in_use_is_named(broker: LocalKafka) -> None:
    with pytest.raises(PortInUseError, match=f"port {broker.port} .*DUNNING_BOOTSTRAP_SERVERS") as caught:
        LocalKafka.start(port=broker.port)
    assert caught.value.port == broker.port


def test_a_setting_that_kafka_refuses_is_named(tmp_path: Path) -> None:
    with pytest.raises(InstallationError, match=r"num\.io\.threads"):
        LocalKafka.start(directory=tmp_path, properties={"num.io.threads": 0})


def test_a_broker_that_ends_shows_its_log(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"ended with exit code (?s:.*)NoSuchAuthorizer") as caught:
        LocalKafka.start(directory=tmp_path, properties={"authorizer.class.name": "NoSuchAuthorizer"})
    assert caught.value.log_path == tmp_path / "broker.log"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
def test_the_broker_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        f"import pathlib, time; from streams.broker import LocalKafka\n"
        f"print(LocalKafka.start(directory=pathlib.Path({str(tmp_path)!r})).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        broker = int(parent.stdout.readline())
        assert process.started(broker) is not None
        parent.kill()
    deadline = time.monotonic() + 10
    while process.started(broker) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.started(broker) is None


def test_a_stopped_broker_leaves_no_directory_behind() -> None:
    with LocalKafka.start() as kafka:
        directory = kafka.directory
        assert directory.is_dir()
    assert not directory.exists()
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0}).list_topics(timeout=1)
