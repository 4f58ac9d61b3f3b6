"""The parts of the benchmark that decide what is right; nothing here is timed."""

import pytest

from bench.assignment import Assignment, from_argument, to_argument
from bench.catalogue import CONTENDERS, Job, contenders
from bench.dunning_job import Clerk, Place
from bench.dunning_work import history
from bench.engine_job import NOTHING, add, decode_event, decode_total, encode_event, encode_total
from streams.dunning.state import CustomerState
from streams.messages.codec import Encoder
from streams.messages.topics import topic_of


def test_the_engine_job_counts_and_sums() -> None:
    total = NOTHING
    for amount in (5, 7):
        total = add(total, decode_event(encode_event("customer", amount, 0)))
    assert decode_total(encode_total("customer", total)) == (2, 12)


def test_an_assignment_survives_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Assignment(servers="s:1", application="a", input="i", output="o", partitions=8, directory="d")
    monkeypatch.setattr("sys.argv", ["contender", to_argument(given)])
    assert from_argument() == given


def test_every_contender_says_what_differs() -> None:
    assert all(each.differs and each.guarantee for each in CONTENDERS)
    for job in Job:
        names = [each.name for each in CONTENDERS if each.job is job]
        assert len(names) == len(set(names))


def test_contenders_by_name() -> None:
    assert [each.name for each in contenders(Job.ENGINE, ["loop"])] == ["loop"]
    assert "kafka-streams-cached" not in {each.name for each in contenders(Job.ENGINE, [])}
    assert "kafka-streams-cached" in {each.name for each in contenders(Job.ENGINE, ["all"])}
    with pytest.raises(ValueError, match="no contender is named nobody"):
        contenders(Job.ENGINE, ["nobody"])


def test_the_clerk_decides_every_event_once(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("DUNNING_CACHE_DIRECTORY", str(tmp_path))
    arrivals = history(200, 7)
    assert arrivals == history(200, 7)  # the second time from the cache
    states: dict[str, CustomerState] = {}
    clerk = Clerk(
        "bench.",
        lambda _, customer_id: states.get(customer_id),
        lambda _, state: states.__setitem__(state.customer_id, state),
    )
    encoder = Encoder()
    decided = 0
    for offset, (at, event) in enumerate(arrivals):
        place = Place(f"bench.{topic_of(event).name}", 0, offset)
        timestamp = int(at.timestamp() * 1000)
        said = list(clerk.handle(place, event.customer_id.encode(), encoder.encode(event), timestamp))
        decided += sum(each.topic == "bench.dunning.decision.v1" for each in said)
    assert decided == len(arrivals)
    assert set(states) == {event.customer_id for _, event in arrivals}
