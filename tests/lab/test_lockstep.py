"""The publisher against a stand-in for the worker, which takes records as one does and decides nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.cli.cluster_topics import create_topics
from streams.dunning.events import PaymentFailed, PaymentRecovered, Tick
from streams.lab.fitness import UnfitTopicsError, check_topics
from streams.lab.lockstep import NoProgressError
from streams.lab.partitioner import partition_of
from streams.lab.publish import publish
from streams.messages.codec import Decoder
from streams.messages.history import Arrival
from streams.messages.topics import INPUTS, LEASES, TICKS

pytestmark = pytest.mark.kafka

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
PARTITIONS = 3


def failed(customer: str, at: datetime) -> Arrival:
    return Arrival(
        at,
        PaymentFailed(
            event_id=f"{customer}-failed",
            occurred_at=at,
            customer_id=customer,
            invoice_id="in",
            amount_minor=100,
            currency="EUR",
        ),
    )


def paid(customer: str, at: datetime) -> Arrival:
    return Arrival(
        at,
        PaymentRecovered(
            event_id=f"{customer}-paid",
            occurred_at=at,
            customer_id=customer,
            invoice_id="in",
            amount_minor=100,
            currency="EUR",
        ),
    )


@pytest.fixture
def topics(kafka: str, topic_prefix: str) -> str:
    admin = AdminClient({"bootstrap.servers": kafka})
    create_topics(admin, prefix=topic_prefix, virtual_time=True, partitions=PARTITIONS, replication=1)
    return topic_prefix


@contextmanager
def taking(kafka: str, prefix: str) -> Iterator[list[Message]]:
    """Takes records in rounds, and commits the offsets after each."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": prefix,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 5,
        }
    )
    consumer.assign(
        [
            TopicPartition(prefix + topic.name, number, 0)
            for topic in (*INPUTS, TICKS)
            for number in range(PARTITIONS)
        ]
    )
    taken: list[Message] = []
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            messages = consumer.consume(500, 0.01)
            if messages:
                assert all(message.error() is None for message in messages)
                taken.extend(messages)
                consumer.commit(asynchronous=False)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield taken
    finally:
        over.set()
        thread.join(10)
        consumer.close()


def test_a_worker_takes_everything_in_the_order_of_virtual_time(kafka: str, topics: str) -> None:
    history = [
        failed("a", NOON + 90 * MINUTE),
        failed("b", NOON + 90 * MINUTE),
        paid("a", NOON + 91 * MINUTE),
        paid("b", NOON + 5 * HOUR),
    ]
    reports: list[datetime] = []
    with taking(kafka, topics) as taken:
        end = publish(
            history,
            client={"bootstrap.servers": kafka},
            group=topics,
            prefix=topics,
            until=NOON + 8 * HOUR,
            tick_every=HOUR,
            report=reports.append,
        )
    assert end == reports[-1] == NOON + 8 * HOUR
    decoder = Decoder()
    by_partition: dict[int, list[tuple[datetime, str]]] = {number: [] for number in range(PARTITIONS)}
    for message in taken:
        topic = (message.topic() or "").removeprefix(topics)
        value = decoder.decode(topic, message.key(), message.value(), message.timestamp()[1])
        at = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
        what = "tick" if isinstance(value, Tick) else value.event_id
        by_partition[message.partition() or 0].append((at, what))
        if isinstance(value, Tick):
            assert value.now == at
        else:
            assert message.partition() == partition_of(value.customer_id, PARTITIONS)
            assert dict(message.headers() or ())["ce_id"] == value.event_id.encode()
    # The first is the one before the start, with which partitions get their shares of offers.
    ticks = [NOON + number * HOUR for number in range(1, 9)]
    events = {each.event.event_id: each.arrived_at for each in history}
    for seen in by_partition.values():
        assert [at for at, what in seen if what == "tick"] == ticks
        # The stand-in does not hold back ticks as the engine does, so only what the publisher orders is
        # asked for: an event comes after all ticks before it, and after the customer's event before it.
        for place, (at, what) in enumerate(seen):
            if what != "tick":
                assert all(before <= at for before, _ in seen[:place] if before in ticks)
    order = [what for seen in by_partition.values() for _, what in seen if what != "tick"]
    assert sorted(order) == sorted(events)
    assert order.index("a-failed") < order.index("a-paid")


def test_without_a_worker_it_says_so(kafka: str, topics: str) -> None:
    with pytest.raises(NoProgressError, match="DUNNING_TICKS=external") as caught:
        publish(
            [failed("a", NOON)],
            client={"bootstrap.servers": kafka},
            group=topics,
            prefix=topics,
            until=NOON + HOUR,
            patience_seconds=0.5,
        )
    assert caught.value.group == topics


def test_topics_whose_clock_is_past_the_history_are_refused(kafka: str, topics: str) -> None:
    with taking(kafka, topics):
        publish(
            [failed("a", NOON)],
            client={"bootstrap.servers": kafka},
            group=topics,
            prefix=topics,
            until=NOON + HOUR,
        )
    admin = AdminClient({"bootstrap.servers": kafka})
    assert check_topics(admin, topics, NOON + HOUR, NOON + 2 * HOUR) == PARTITIONS
    with pytest.raises(UnfitTopicsError, match="already past it"):
        check_topics(admin, topics, NOON, NOON + HOUR)


def test_topics_that_are_missing_are_named(kafka: str, topic_prefix: str) -> None:
    with pytest.raises(UnfitTopicsError, match="--virtual-time") as caught:
        check_topics(AdminClient({"bootstrap.servers": kafka}), topic_prefix, NOON, NOON + HOUR)
    named = " ".join(caught.value.problems)
    assert all(f" {topic_prefix}{topic.name} " in named for topic in (*INPUTS, TICKS, LEASES))


def test_topics_for_real_time_are_refused(kafka: str, topic_prefix: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    create_topics(admin, prefix=topic_prefix, virtual_time=False, partitions=1, replication=1)
    with pytest.raises(UnfitTopicsError, match="keeps records for 35 days"):
        check_topics(admin, topic_prefix, NOON.replace(year=2020), NOON.replace(year=2021))
    with pytest.raises(UnfitTopicsError, match="refuses timestamps"):
        check_topics(admin, topic_prefix, NOON.replace(year=2090), NOON.replace(year=2091))
