"""The engine job on Bytewax, one worker.

Bytewax has no Kafka transactions and no changelog: outputs are at least once, and state goes to its own
recovery store (SQLite files) at the end of each epoch.
"""

from datetime import timedelta
from typing import Any

from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import cluster_main

from bench.assignment import PRODUCER, Assignment, from_argument
from bench.engine_job import NOTHING, Total, add, decode_event, encode_total

_EPOCH = timedelta(seconds=10)
"""Bytewax's default."""


def build(assignment: Assignment) -> Any:
    """The dataflow."""
    servers = [assignment.servers]
    flow = Dataflow("engine")
    source = op.input("read", flow, KafkaSource(servers, [assignment.input], batch_size=1_000))
    events = op.map("decode", source, _decode)
    totals = op.stateful_map("add", events, _add)
    messages = op.map("encode", totals, _encode)
    op.output(
        "write",
        messages,
        KafkaSink(servers, assignment.output, add_config={**PRODUCER, "partitioner": "murmur2_random"}),
    )
    return flow


def _decode(message: Any) -> tuple[str, Any]:
    event = decode_event(message.value)
    return event["customer"], event


def _add(total: Total | None, event: Any) -> tuple[Total, Total]:
    after = add(total or NOTHING, event)
    return after, after


def _encode(item: tuple[str, Total]) -> Any:
    customer, total = item
    return KafkaSinkMessage(customer.encode(), encode_total(customer, total))


def main() -> None:
    """Run until SIGTERM."""
    assignment = from_argument()
    assignment.state_directory.mkdir(parents=True)
    init_db_dir(assignment.state_directory, 1)
    cluster_main(
        build(assignment),
        [],
        0,
        epoch_interval=_EPOCH,
        recovery_config=RecoveryConfig(str(assignment.state_directory)),
        worker_count_per_proc=1,
    )


if __name__ == "__main__":
    main()
