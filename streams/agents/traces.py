"""From a decision to its span."""

from streams.dunning.commands import DecisionRecord
from streams.engine import Headers, Record
from streams.ops.tracing import Tracer


def traced(tracer: Tracer | None, said: DecisionRecord, commands: int, record: Record) -> Headers:
    """Make the decision's span, and give the headers that carry its trace on: without a tracer the input's.

    Args:
        tracer: makes it.
        said: the decision.
        commands: how many it made.
        record: its input.
    """
    if tracer is None:
        return record.headers
    return tracer.decided(
        decision_id=said.decision_id,
        kind=said.input.kind,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        headers=record.headers,
        outcomes=[each.outcome for each in said.outcomes],
        commands=commands,
        policy_version=said.policy_version,
    )
