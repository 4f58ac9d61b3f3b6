from collections.abc import Callable

import pytest
from confluent_kafka import KafkaException, Producer

from streams.lab.outputs import OutputReader

pytestmark = pytest.mark.kafka


def test_only_what_is_committed_is_read_and_all_of_it(
    kafka: str, topic_prefix: str, create_topics: Callable[..., None]
) -> None:
    topic = f"{topic_prefix}out"
    create_topics([topic], partitions=3)
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": topic_prefix})
    producer.init_transactions()
    with OutputReader(
        {"bootstrap.servers": kafka}, [topic], from_beginning=True, fetch_wait_seconds=0.01
    ) as reader:
        assert reader.read_to_end() == []
        for attempt, commit in enumerate((True, False, True)):
            producer.begin_transaction()
            for number in range(30):
                producer.produce(
                    topic, b"%d-%d" % (attempt, number), partition=number % 3, timestamp=1000 + number
                )
            producer.flush()
            if commit:
                producer.commit_transaction()
            else:
                producer.abort_transaction()
            expected = [b"%d-%d" % (attempt, number) for number in range(30)] if commit else []
            assert [message.value() for message in reader.read_to_end()] == expected


def test_from_the_end_nothing_old_is_read(
    kafka: str, topic_prefix: str, create_topics: Callable[..., None]
) -> None:
    topic = f"{topic_prefix}out"
    create_topics([topic])
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topic, b"old")
    producer.flush()
    with OutputReader({"bootstrap.servers": kafka}, [topic], from_beginning=False) as reader:
        assert reader.read_to_end() == []


def test_a_topic_that_is_missing_is_named(kafka: str, topic_prefix: str) -> None:
    with pytest.raises(KafkaException, match=f"{topic_prefix}nothing"):
        OutputReader({"bootstrap.servers": kafka}, [f"{topic_prefix}nothing"], from_beginning=True)
