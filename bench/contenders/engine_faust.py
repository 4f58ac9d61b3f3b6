"""The engine job on plain Faust: its own transport over aiokafka, at least once, memory.

It is not transactional: a crash repeats records, and outputs, changelog and offsets may part. Its changelog
gets a record for every change of a key.
"""

from typing import Any

import faust

from bench.assignment import BATCH_BYTES, COMPRESSION, LINGER_MS, Assignment, from_argument
from bench.engine_job import NOTHING, add, decode_event, encode_total


def build(assignment: Assignment) -> Any:
    """The application; it starts nothing."""
    app: Any = faust.App(
        assignment.application,
        broker=f"kafka://{assignment.servers}",
        store="memory://",
        datadir=str(assignment.state_directory),
        topic_partitions=assignment.partitions,
        topic_replication_factor=1,
        processing_guarantee="at_least_once",
        consumer_auto_offset_reset="earliest",
        producer_compression_type=COMPRESSION,
        producer_linger=LINGER_MS / 1000,
        producer_max_batch_size=BATCH_BYTES,
        web_enabled=False,
        topic_disable_leader=True,
    )
    output = app.topic(assignment.output, key_serializer="raw", value_serializer="raw")
    totals = app.Table("totals", partitions=assignment.partitions, key_type=str)

    @app.agent(app.topic(assignment.input, key_serializer="raw", value_serializer="raw"))  # type: ignore[untyped-decorator]
    async def adding(stream: Any) -> None:
        async for key, value in stream.items():
            event = decode_event(value)
            customer = event["customer"]
            total = totals[customer] = add(totals.get(customer) or NOTHING, event)
            await output.send(key=key, value=encode_total(customer, total))

    return app


if __name__ == "__main__":
    faust.Worker(build(from_argument()), loglevel="WARNING").execute_from_commandline()
