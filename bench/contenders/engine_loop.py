"""The engine job as a bare loop over confluent-kafka: about what librdkafka and Python allow at best.

A dict for state, one transaction per poll: outputs, one changelog record per changed key, offsets. It has no
restore, no rebalance protocol, no error handling and no second topic: it is a measure, not a rival.
"""

import signal
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from bench.assignment import PRODUCER, Assignment, from_argument
from bench.engine_job import NOTHING, Total, add, decode_event, encode_total

_POLL_SECONDS = 0.05
_CALL_SECONDS = 30.0


class Loop:
    """Consumer, transactional producer, and the totals."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._consumer = Consumer(
            {
                "bootstrap.servers": assignment.servers,
                "group.id": assignment.application,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
            }
        )
        self._producer = Producer(
            {
                "bootstrap.servers": assignment.servers,
                "transactional.id": assignment.application,
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 500_000,
                **PRODUCER,
            }
        )
        self._changelog = f"{assignment.application}-changelog"
        self._totals: dict[str, Total] = {}
        self._stopping = False

    def run(self) -> None:
        """Until SIGTERM."""
        signal.signal(signal.SIGTERM, self._stop)
        self._producer.init_transactions(_CALL_SECONDS)
        self._consumer.subscribe([self._assignment.input])
        while not self._stopping:
            messages = self._consumer.consume(self._assignment.records_per_transaction, _POLL_SECONDS)
            if messages:
                self._transaction(messages)
        self._consumer.close()

    def _transaction(self, messages: list[Any]) -> None:
        produce, output, totals = self._producer.produce, self._assignment.output, self._totals
        offsets: dict[int, int] = {}
        changed: dict[str, tuple[bytes, int]] = {}
        self._producer.begin_transaction()
        for message in messages:
            key, partition = message.key(), message.partition()
            event = decode_event(message.value())
            customer = event["customer"]
            total = totals[customer] = add(totals.get(customer, NOTHING), event)
            produce(output, encode_total(customer, total), key)
            changed[customer] = (key, partition)
            offsets[partition] = message.offset() + 1
        for customer, (key, partition) in changed.items():
            produce(self._changelog, encode_total("", totals[customer]), key, partition=partition)
        positions = [TopicPartition(self._assignment.input, *each) for each in offsets.items()]
        self._producer.send_offsets_to_transaction(
            positions, self._consumer.consumer_group_metadata(), _CALL_SECONDS
        )
        self._producer.commit_transaction(_CALL_SECONDS)
        self._producer.poll(0)

    def _stop(self, *_signal: Any) -> None:
        self._stopping = True


if __name__ == "__main__":
    Loop(from_argument()).run()
