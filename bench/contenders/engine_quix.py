"""The engine job on Quix Streams, exactly once, with its RocksDB state and changelog."""

from typing import Any

from quixstreams import Application

from bench.assignment import PRODUCER, Assignment, from_argument
from bench.engine_job import NOTHING, add, decode_event, encode_total


def build(assignment: Assignment) -> Any:
    """The application; it starts nothing."""
    app = Application(
        broker_address=assignment.servers,
        consumer_group=assignment.application,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_every=assignment.records_per_transaction,
        producer_extra_config={**PRODUCER, "partitioner": "murmur2_random"},
        state_dir=str(assignment.state_directory),
        loglevel="WARNING",
    )
    source = app.topic(assignment.input, value_deserializer="bytes", key_deserializer="bytes")
    target = app.topic(assignment.output, value_serializer="bytes", key_serializer="bytes")
    frame = app.dataframe(source)
    frame = frame.apply(_add, stateful=True)
    frame.to_topic(target)
    return app


def _add(value: bytes, state: Any) -> bytes:
    event = decode_event(value)
    total = add(state.get("total", NOTHING), event)
    # Quix keeps state as JSON unless told otherwise, which is its fastest.
    state.set("total", total)
    return encode_total(event["customer"], total)


if __name__ == "__main__":
    build(from_argument()).run()
