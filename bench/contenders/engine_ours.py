"""The engine job on `streams.engine`: one agent, one table."""

import sys
from collections.abc import AsyncIterable

from bench.assignment import Assignment, from_argument
from bench.engine_job import NOTHING, Total, add, decode_event, decode_total, encode_total
from streams.engine import App, Batch, Codec, EngineSettings, create_app, run_worker


def build(assignment: Assignment) -> App:
    """The application; it starts nothing."""
    app = create_app(
        EngineSettings(
            application_id=assignment.application,
            bootstrap_servers=assignment.servers,
            instance_id=assignment.instance,
            data_directory=assignment.state_directory,
            store="rocksdb" if assignment.store == "rocksdb" else "memory",
            max_records=assignment.records_per_transaction,
        )
    )
    totals = app.Table("totals", codec=Codec(encode_state, decode_total))
    output = assignment.output

    @app.agent(app.topic(assignment.input))
    async def adding(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            here = totals.here()
            for record in batch:
                event = decode_event(record.value or b"")
                customer = event["customer"]
                total = here[customer] = add(here.get(customer, NOTHING), event)
                batch.emit(output, key=record.key, value=encode_total(customer, total))

    return app


def encode_state(total: Total) -> bytes:
    """A total as the table keeps it: its key names the customer, so the value need not."""
    return encode_total("", total)


if __name__ == "__main__":
    sys.exit(run_worker(build(from_argument())))
