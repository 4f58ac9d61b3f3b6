"""An independent check of what workers committed, from the inputs alone.

Every decision names its input by topic, partition and offset, and of one customer the decisions lie in the
order in which they were taken. So the fold can be done again from the inputs, in that order, and must give
the same commands, the same reasons and, in the changelogs, the same states and the same outcomes.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping

from confluent_kafka import Message

from streams.dunning import decision_record
from streams.dunning.commands import DecisionRecord
from streams.dunning.events import Tick
from streams.dunning.measures import Counts, add_up
from streams.dunning.outcomes import outcomes
from streams.dunning.state import CustomerState
from streams.dunning.state_bytes import decode_state
from streams.engine.codec import open_envelope
from streams.policy import LoadedPolicy

from .harness import Deployment, Output, Place, headers_of


def verify(deployment: Deployment, policy: LoadedPolicy, *, put_aside: int = 0) -> int:
    """Fail if anything is missing, repeated or different; returns the number of events decided.

    `put_aside` is how many records have to be in the dead letters, each once and not decided.
    """
    inputs = deployment.inputs()
    for place in _put_aside(deployment, put_aside):
        del inputs[place]
    outputs = deployment.outputs()
    decisions = [each for each in outputs if isinstance(each, DecisionRecord)]
    _each_event_once(decisions, inputs)
    expected, states, counts = _refold(deployment, decisions, policy)
    found = {_identity(each): each for each in outputs}
    assert len(found) == len(outputs), "an output was committed twice"
    assert found == {_identity(each): each for each in expected}
    assert kept_states(deployment) == states
    assert deployment.outcomes() == counts
    return sum(1 for each in decisions if each.input.event_id is not None)


def _put_aside(deployment: Deployment, expected: int) -> set[Place]:
    letters = deployment.dead_letters()
    found = {_origin(letter) for letter in letters}
    assert len(letters) == len(found) == expected, f"{len(letters)} dead letters of {len(found)} records"
    return found


def _origin(letter: Message) -> Place:
    said = {name: value.decode() for name, value in headers_of(letter) if isinstance(value, bytes)}
    topic, partition, offset = (said[f"__connect.errors.{each}"] for each in ("topic", "partition", "offset"))
    return Place(topic, int(partition), int(offset))


def _each_event_once(decisions: list[DecisionRecord], inputs: Mapping[Place, object]) -> None:
    named = Counter(_place(decision) for decision in decisions if decision.input.event_id is not None)
    repeated = [place for place, times in named.items() if times > 1]
    assert not repeated, f"{len(repeated)} records were decided twice, such as {repeated[:3]}"
    events = {place for place, event in inputs.items() if not isinstance(event, Tick)}
    assert set(named) == events, (
        f"{len(events - set(named))} missing, such as {list(events - set(named))[:3]}"
    )


def _refold(
    deployment: Deployment, decisions: list[DecisionRecord], policy: LoadedPolicy
) -> tuple[list[Output], dict[str, CustomerState], Counts]:
    inputs = deployment.inputs()
    of_customer: dict[str, list[DecisionRecord]] = defaultdict(list)
    for each in decisions:
        of_customer[each.customer_id].append(each)
    states: dict[str, CustomerState] = {}
    expected: list[Output] = []
    counts: Counts = {}
    for customer_id, taken in of_customer.items():
        state: CustomerState | None = None
        for record in taken:
            event = inputs[_place(record)]
            assert event is not None
            decision = policy.decide(state, event, record.decided_at)
            add_up(counts, outcomes(state, event, decision, policy.policy))
            state = decision.state
            again = decision_record(decision, record.input, policy.policy)
            assert again is not None
            expected += [*decision.commands, again]
        assert state is not None
        states[customer_id] = state
    return expected, states, counts


def kept_states(deployment: Deployment) -> dict[str, CustomerState]:
    """What the changelog says of each customer."""
    kept: dict[str, CustomerState] = {}
    for message in deployment.messages(f"{deployment.application_id}-customers-changelog"):
        key, value = message.key(), message.value()
        assert key is not None
        assert value is not None, "no customer is forgotten in these runs"
        kept[key.decode()] = decode_state(open_envelope(value))
    return kept


def _place(decision: DecisionRecord) -> Place:
    reference = decision.input
    assert reference.topic is not None
    assert reference.partition is not None
    assert reference.offset is not None
    return Place(reference.topic, reference.partition, reference.offset)


def _identity(output: Output) -> tuple[str, str, object]:
    """What names an output. Decisions on repeated events share a name, and differ in their place."""
    if isinstance(output, DecisionRecord):
        return "decision", output.decision_id, _place(output)
    return "command", output.command_id, None
