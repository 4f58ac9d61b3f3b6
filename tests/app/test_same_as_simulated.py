"""The same history gives the same output in the pure simulator and through a worker on Kafka."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from streams.dunning.commands import DecisionRecord
from streams.lab.publish import publish
from streams.lab.simulate import simulate
from streams.lab.ticks import Outage
from streams.messages.history import Arrival, read_history
from streams.policy import load

from .harness import Deployment, Output

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

EXAMPLES = Path(__file__).with_name("examples")
UNTIL = datetime(2026, 4, 10, tzinfo=UTC)
TICK_EVERY = timedelta(minutes=15)
OUTAGES = {
    "down from day 2 to day 15": (datetime(2026, 1, 7, tzinfo=UTC), datetime(2026, 1, 20, 12, tzinfo=UTC)),
    "down from day 50 to day 61": (datetime(2026, 2, 24, tzinfo=UTC), datetime(2026, 3, 7, 12, tzinfo=UTC)),
}


def _placeless(output: Output) -> Output:
    if not isinstance(output, DecisionRecord):
        return output
    return replace(output, input=replace(output.input, topic=None, partition=None, offset=None))


def _by_customer(outputs: Sequence[Output]) -> dict[str, list[Any]]:
    """What was said to and of each customer, without where the inputs lay in Kafka."""
    found: dict[str, list[Any]] = {}
    for output in outputs:
        found.setdefault(output.customer_id, []).append(_placeless(output))
    return {
        customer: sorted(each, key=lambda output: (type(output).__name__, msgspec.json.encode(output)))
        for customer, each in found.items()
    }


def _play(deployment: Deployment, history: list[Arrival], outages: Sequence[Outage] = ()) -> None:
    worker = deployment.start()
    publish(
        history,
        client={"bootstrap.servers": deployment.servers},
        group=deployment.application_id,
        prefix=deployment.prefix,
        until=UNTIL,
        tick_every=TICK_EVERY,
        outages=outages,
    )
    deployment.wait_until_done()
    assert worker.stop() == 0


def test_histories_of_many_kinds(deployment: Deployment) -> None:
    paths = sorted(path for path in EXAMPLES.glob("*.jsonl") if path.name != "an-outage.jsonl")
    history = [arrival for path in paths for arrival in read_history(path)]
    _play(deployment, history)
    expected = _by_customer(list(simulate(history, load("care"), UNTIL, TICK_EVERY)))
    assert _by_customer(deployment.outputs()) == expected
    assert len(expected) == len(paths)


@pytest.mark.parametrize("name", OUTAGES)
def test_an_outage(deployment: Deployment, name: str) -> None:
    history = read_history(EXAMPLES / "an-outage.jsonl")
    outages = (Outage(*OUTAGES[name]),)
    _play(deployment, history, outages)
    expected = _by_customer(list(simulate(history, load("care"), UNTIL, TICK_EVERY, outages)))
    assert _by_customer(deployment.outputs()) == expected


def test_a_restart_between_repetitions_of_an_event(deployment: Deployment) -> None:
    history = read_history(EXAMPLES / "the-same-event-three-times.jsonl")
    for arrival in history:
        worker = deployment.start(store="memory")
        deployment.send(arrival)
        deployment.wait_until_done()
        assert worker.stop() == 0
    (email,) = [output for output in deployment.outputs() if not isinstance(output, DecisionRecord)]
    simulated = list(simulate(history, load("care"), history[-1].arrived_at))
    assert email in simulated
