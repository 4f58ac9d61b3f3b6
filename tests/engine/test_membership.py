"""A worker that the group has dropped, and that does not know yet, cannot commit."""

import socket
import struct
import time
from collections.abc import Callable

import pytest

from streams.engine import EngineSettings, Output, TopicPartition
from streams.engine.errors import MembershipLostError
from streams.engine.input_consumer import LibrdkafkaConsumer
from streams.engine.transactional_producer import LibrdkafkaProducer

pytestmark = pytest.mark.kafka


class Member:
    """A consumer in the group and a producer, without the rest of a worker."""

    def __init__(self, servers: str, prefix: str, instance: str) -> None:
        settings = EngineSettings(
            application_id=f"{prefix}app",
            bootstrap_servers=servers,
            instance_id=instance,
            static_membership=False,
            session_timeout_seconds=6,
        )
        self.prefix = prefix
        self.consumer = LibrdkafkaConsumer(settings)
        self.producer = LibrdkafkaProducer(settings)
        self.producer.start()
        self.consumer.subscribe([f"{prefix}in"])
        deadline = time.monotonic() + 30
        while self.consumer.poll(10, 0.1).assigned is None:
            assert time.monotonic() < deadline, "the group gives no partitions"
        self.membership = self.consumer.poll(10, 0.1).membership

    def commit(self, offset: int) -> None:
        place = TopicPartition(f"{self.prefix}in", 0)
        said = [Output(f"{self.prefix}out", value=b"said", partition=0)]
        self.producer.begin(said, ())
        self.producer.commit({place: offset}, {}, self.membership)


def expel(servers: str, group: str, member: str) -> None:
    """As an operator's tool does it: LeaveGroup, version 0, in the member's name."""

    def text(value: str) -> bytes:
        return struct.pack(">h", len(value)) + value.encode()

    request = struct.pack(">hhi", 13, 0, 1) + text("operator") + text(group) + text(member)
    host, port = servers.split(",", maxsplit=1)[0].rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = connection.recv(64)
    assert struct.unpack(">h", answer[8:10]) == (0,), "Kafka does not know the member"


@pytest.mark.parametrize("noticed", [False, True], ids=["before it notices", "after its heartbeat failed"])
def test_an_expelled_member_commits_nothing(
    kafka: str, topic_prefix: str, create_topics: Callable[..., None], *, noticed: bool
) -> None:
    """Its client forgets the member id, and Kafka asks nothing of a commit without one and a generation."""
    create_topics([f"{topic_prefix}in", f"{topic_prefix}out"], partitions=2)
    expelled = Member(kafka, topic_prefix, "0")
    expel(kafka, f"{topic_prefix}app", str(expelled.consumer._consumer.memberid()))
    other = Member(kafka, topic_prefix, "1")
    other.commit(5)
    if noticed:
        deadline = time.monotonic() + 10
        while expelled.consumer._consumer.memberid():
            assert time.monotonic() < deadline, "the heartbeat does not fail"
            time.sleep(0.05)
    with pytest.raises(MembershipLostError):
        expelled.commit(7)
    place = TopicPartition(f"{topic_prefix}in", 0)
    committed = other.consumer.committed([place], 10)
    assert committed is not None
    assert committed[place].offset == 5
    expelled.consumer.close()
    other.consumer.close()
