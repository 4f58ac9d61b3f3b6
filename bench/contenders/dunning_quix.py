"""The dunning job on Quix Streams, exactly once.

One dataframe over all inputs, which Quix aligns by timestamp, so that ticks come after the events before
them. Quix offers the state of the record's own key; a tick, which concerns all customers of its partition,
reaches theirs through the checkpoint's store transaction, which is not part of Quix's public interface. Who
is due is kept in memory.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

from quixstreams import Application, message_context
from quixstreams.models import SerializationContext, Serializer

from bench.assignment import PRODUCER, Assignment, from_argument
from bench.dunning_job import INPUT_TOPICS, TICK_TOPIC, Clerk, Place, Said
from streams.dunning.state import CustomerState
from streams.dunning.state_bytes import decode_state, encode_state
from streams.messages.topics import OUTPUTS


class ValueOf(Serializer):  # type: ignore[misc,unused-ignore]
    """Takes the bytes out of what was said."""

    def __call__(self, value: Said, ctx: SerializationContext) -> bytes:  # noqa: ARG002 - Quix's protocol
        """The record's value."""
        return value.value


def build(assignment: Assignment) -> Any:
    """The application; it starts nothing."""
    app = Application(
        broker_address=assignment.servers,
        consumer_group=assignment.application,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_every=assignment.records_per_transaction,
        # Only for the start: Quix asks for the end of each partition, one by one, behind a waiting fetch.
        consumer_extra_config={"fetch.wait.max.ms": 50},
        producer_extra_config={**PRODUCER, "partitioner": "murmur2_random"},
        state_dir=str(assignment.state_directory),
        loglevel="WARNING",
    )
    prefix = assignment.input
    sources = [
        app.dataframe(app.topic(prefix + name, value_deserializer="bytes", key_deserializer="bytes"))
        for name in (*INPUT_TOPICS, TICK_TOPIC)
    ]
    targets = {
        prefix + topic.name: app.topic(
            prefix + topic.name, value_serializer=ValueOf(), key_serializer="bytes"
        )
        for topic in OUTPUTS
    }
    frame = reduce(lambda one, other: one.concat(other), sources)
    # Quix names the changelog after all topics, which is longer than Kafka allows; this is not public either.
    frame = frame.__dataframe_clone__(stream=frame.stream, stream_id="inputs")
    frame.register_store()
    frame = frame.apply(_handler(frame, prefix), expand=True, metadata=True)
    frame = frame.set_timestamp(lambda said, *_: said.timestamp)
    frame = frame.set_headers(lambda said, *_: said.headers)
    frame.to_topic(lambda said, *_: targets[said.topic], key=lambda said: said.key)
    return app


def _handler(frame: Any, prefix: str) -> Callable[..., list[Said]]:
    def state_of(partition: int, customer_id: str) -> Any:
        transaction = frame.processing_context.checkpoint.get_store_transaction(
            stream_id=frame.stream_id, partition=partition
        )
        return transaction.as_state(prefix=customer_id.encode())

    def known(partition: int, customer_id: str) -> CustomerState | None:
        found = state_of(partition, customer_id).get_bytes("state")
        return None if found is None else decode_state(found)

    def keep(partition: int, state: CustomerState) -> None:
        state_of(partition, state.customer_id).set_bytes("state", encode_state(state))

    clerk = Clerk(prefix, known, keep)

    def handle(value: bytes, key: bytes | None, timestamp: int, _headers: Any) -> list[Said]:
        context = message_context()
        place = Place(context.topic, context.partition, context.offset)
        return list(clerk.handle(place, key, value, timestamp))

    return handle


if __name__ == "__main__":
    build(from_argument()).run()
