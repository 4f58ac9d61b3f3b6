"""The dunning job as a bare loop over confluent-kafka; see `engine_loop` for what a bare loop lacks.

Ticks must not overtake events: the tick topic is read only when all others have been read to their end, once.
Our engine does that for every tick; a loop for production would have to as well.
"""

import signal
from typing import Any

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from bench.assignment import PRODUCER, Assignment, from_argument
from bench.dunning_job import INPUT_TOPICS, TICK_TOPIC, Clerk, Place
from streams.dunning.state import CustomerState
from streams.dunning.state_bytes import encode_state

_POLL_SECONDS = 0.05
_CALL_SECONDS = 30.0


class Loop:
    """Consumer, transactional producer, and the states."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._consumer = Consumer(
            {
                "bootstrap.servers": assignment.servers,
                "group.id": assignment.application,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
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
        self._states: dict[str, CustomerState] = {}
        self._changed: dict[str, int] = {}
        self._clerk = Clerk(assignment.input, lambda _, each: self._states.get(each), self._keep)
        self._unread: set[tuple[str, int]] = set()
        self._stopping = False

    def run(self) -> None:
        """Until SIGTERM."""
        signal.signal(signal.SIGTERM, self._stop)
        self._producer.init_transactions(_CALL_SECONDS)
        prefix = self._assignment.input
        self._consumer.subscribe(
            [prefix + topic for topic in (*INPUT_TOPICS, TICK_TOPIC)], on_assign=self._on_assign
        )
        while not self._stopping:
            messages = self._consumer.consume(self._assignment.records_per_transaction, _POLL_SECONDS)
            records = [message for message in messages if self._is_record(message)]
            if records:
                # Between topics Kafka knows no order; timestamps give the one that there was.
                records.sort(key=lambda message: message.timestamp()[1])
                self._transaction(records)
        self._consumer.close()

    def _transaction(self, messages: list[Any]) -> None:
        produce, handle = self._producer.produce, self._clerk.handle
        offsets: dict[tuple[str, int], int] = {}
        self._changed.clear()
        self._producer.begin_transaction()
        for message in messages:
            place = Place(message.topic(), message.partition(), message.offset())
            for said in handle(place, message.key(), message.value(), message.timestamp()[1]):
                produce(said.topic, said.value, said.key, headers=said.headers, timestamp=said.timestamp)
            last = offsets.get((place.topic, place.partition), 0)
            offsets[place.topic, place.partition] = max(last, place.offset + 1)
        for customer_id, partition in self._changed.items():
            state = encode_state(self._states[customer_id])
            produce(self._changelog, state, customer_id.encode(), partition=partition)
        self._producer.send_offsets_to_transaction(
            [TopicPartition(*each, offset) for each, offset in offsets.items()],
            self._consumer.consumer_group_metadata(),
            _CALL_SECONDS,
        )
        self._producer.commit_transaction(_CALL_SECONDS)
        self._producer.poll(0)

    def _keep(self, partition: int, state: CustomerState) -> None:
        self._states[state.customer_id] = state
        self._changed[state.customer_id] = partition

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.assign(partitions)
        ticks = [each for each in partitions if each.topic.endswith(TICK_TOPIC)]
        consumer.pause(ticks)
        self._unread = {(each.topic, each.partition) for each in partitions if each not in ticks}
        self._ticks = ticks

    def _is_record(self, message: Any) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() == KafkaError._PARTITION_EOF and self._unread:  # noqa: SLF001
            self._unread.discard((message.topic(), message.partition()))
            if not self._unread:
                self._consumer.resume(self._ticks)
        return False

    def _stop(self, *_signal: Any) -> None:
        self._stopping = True


if __name__ == "__main__":
    Loop(from_argument()).run()
