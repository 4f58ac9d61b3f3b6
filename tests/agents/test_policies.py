"""A partition changes its policy by a record of its log, and cases keep the one that they opened with."""

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streams.agents.policies import MOST_VERSIONS, UnreadablePolicyError
from streams.dunning.commands import DecisionRecord, NotificationCommand, ReasonCode
from streams.dunning.events import PaymentFailed
from streams.lab.simulate import simulate
from streams.messages.history import Arrival
from streams.messages.policy_change import PolicyChange
from streams.policy import LoadedPolicy, load
from streams.policy.loading import canonical, version_of

from .partition import Output, Partition

D0 = datetime(2026, 1, 5, 15, tzinfo=UTC)
DAY = timedelta(days=1)
LADDER = """
campaigns:
  standard:
    ladder:
      - {id: d0_email, day: 0, channels: [email], template: payment_failed}
      - {id: d2_email, day: 2, channels: [email], template: payment_failed}
      - {id: d9_email, day: 9, channels: [email], template: payment_failed}
      - {id: notice, day: 53, action: final_notice, channels: [email], template: final_notice}
      - {id: suspend, day: 60, action: suspend}
"""


def another(tmp_path: Path, name: str, more: str = "") -> LoadedPolicy:
    path = tmp_path / f"{name}.yaml"
    path.write_text(f"extends: care\nname: {name}\n{more}")
    return load(path)


@pytest.fixture
def care() -> LoadedPolicy:
    return load("care")


@pytest.fixture
def quick(tmp_path: Path) -> LoadedPolicy:
    """Asks after two days, not three."""
    return another(tmp_path, "quick", LADDER)


def failed(number: int, at: datetime = D0) -> PaymentFailed:
    return PaymentFailed(
        event_id=f"e-{number}",
        occurred_at=at,
        customer_id=f"c-{number}",
        invoice_id=f"i-{number}",
        amount_minor=4_900,
        currency="USD",
    )


def steps(outputs: Sequence[Output], customer_id: str) -> list[str]:
    return [
        each.step_id
        for each in outputs
        if isinstance(each, NotificationCommand) and each.customer_id == customer_id
    ]


def versions(outputs: Sequence[Output]) -> set[str]:
    return {each.policy_version for each in outputs}


def run_to(partition: Partition, start: datetime, end: datetime) -> None:
    moment = start
    while moment <= end:
        partition.tick(moment)
        moment += timedelta(hours=6)


def test_new_cases_go_by_what_is_published_and_open_ones_by_theirs(
    tmp_path: Path, care: LoadedPolicy, quick: LoadedPolicy
) -> None:
    partition = Partition(tmp_path, care)
    partition.take(partition.record(failed(1), D0))
    # In one batch: what comes before it by the old one, what comes after by the new.
    partition.take(
        partition.record(failed(2), D0),
        partition.publication(quick, 1, D0),
        partition.record(failed(3), D0),
    )
    run_to(partition, D0, D0 + 4 * DAY)
    assert steps(partition.outputs, "c-1") == steps(partition.outputs, "c-2") == ["d0_email", "d3_email"]
    assert steps(partition.outputs, "c-3") == ["d0_email", "d2_email"]
    commands = [each for each in partition.outputs if isinstance(each, NotificationCommand)]
    assert {each.policy_version for each in commands if each.customer_id == "c-1"} == {care.version}
    assert {each.policy_version for each in commands if each.customer_id == "c-3"} == {quick.version}
    said = [each for each in partition.outputs if isinstance(each, DecisionRecord)]
    assert said[-1].policy_version == quick.version


def test_the_simulator_gives_the_same(tmp_path: Path, care: LoadedPolicy, quick: LoadedPolicy) -> None:
    partition = Partition(tmp_path, care)
    later = D0 + timedelta(hours=9)
    partition.take(partition.record(failed(1), D0))
    run_to(partition, D0 + timedelta(hours=3), later)
    partition.take(partition.publication(quick, 1, later), partition.record(failed(2, later), later))
    run_to(partition, later, D0 + 70 * DAY)
    simulated = simulate(
        [Arrival(D0, failed(1)), Arrival(later, failed(2, later))],
        care,
        until=D0 + 70 * DAY,
        tick_every=timedelta(hours=6),
        publications=[(later, quick)],
    )
    expected = {each.command_id: each for each in simulated if not isinstance(each, DecisionRecord)}
    found = {each.command_id: each for each in partition.outputs if not isinstance(each, DecisionRecord)}
    assert {name: (each.policy_version, each.decided_at) for name, each in found.items()} == {
        name: (each.policy_version, each.decided_at) for name, each in expected.items()
    }
    assert len(versions(list(found.values()))) == 2


def test_another_worker_goes_on_by_the_partitions_policy_whatever_its_own(
    tmp_path: Path, care: LoadedPolicy, quick: LoadedPolicy
) -> None:
    first = Partition(tmp_path, care)
    first.take(first.record(failed(1), D0), first.publication(quick, 1, D0))
    third = another(tmp_path, "third")
    second = first.moved(third)
    second.take(second.record(failed(2), D0))
    run_to(second, D0, D0 + 4 * DAY)
    assert steps(second.outputs, "c-1") == ["d3_email"]
    assert steps(second.outputs, "c-2") == ["d0_email", "d2_email"]
    assert versions(second.outputs) == {care.version, quick.version}


def test_without_a_publication_cases_keep_the_policy_that_the_settings_no_longer_name(
    tmp_path: Path, care: LoadedPolicy, quick: LoadedPolicy
) -> None:
    first = Partition(tmp_path, care)
    first.take(first.record(failed(1), D0))
    second = first.moved(quick)
    second.take(second.record(failed(2), D0))
    run_to(second, D0, D0 + 4 * DAY)
    assert steps(second.outputs, "c-1") == ["d3_email"]
    assert steps(second.outputs, "c-2") == ["d0_email", "d2_email"]
    assert second.facts.policy_versions == (care.version, quick.version)


def test_a_partition_never_goes_back_to_a_publication_that_it_has_passed(
    tmp_path: Path, care: LoadedPolicy, quick: LoadedPolicy
) -> None:
    partition = Partition(tmp_path, care)
    third = another(tmp_path, "third")
    partition.take(partition.publication(third, 2, D0))
    partition.take(partition.publication(quick, 1, D0), partition.publication(third, 2, D0))
    assert partition.facts.policy_versions == (care.version, third.version)
    # Who wants an earlier policy again publishes it again.
    partition.take(partition.publication(care, 3, D0))
    assert partition.facts.policy_versions == (third.version, care.version)


def test_a_migration_moves_open_cases_and_repeats_nothing(
    tmp_path: Path, care: LoadedPolicy, quick: LoadedPolicy
) -> None:
    partition = Partition(tmp_path, care)
    partition.take(partition.record(failed(1), D0), partition.record(failed(2), D0))
    run_to(partition, D0, D0 + 4 * DAY)
    move = PolicyChange(
        number=2, action="migrate", version=quick.version, changed_at=D0, customers=("c-1", "c-9")
    )
    partition.take(partition.publication(quick, 1, D0))
    (said,) = partition.take(partition.record(move, D0))
    assert isinstance(said, DecisionRecord)
    assert [each.reason for each in said.outcomes] == [ReasonCode.POLICY_REPLACED]
    assert (said.input.event_id, said.decided_at) == ("policy-2", partition.facts.clock)
    assert partition.take(partition.record(move, D0)) == []
    run_to(partition, D0 + 4 * DAY, D0 + 15 * DAY)
    assert steps(partition.outputs, "c-1") == ["d0_email", "d3_email", "d9_email"]
    assert steps(partition.outputs, "c-2") == ["d0_email", "d3_email", "d5_sms", "d7_email", "d14_email"]


def test_a_migration_to_what_is_not_in_force_does_nothing(
    tmp_path: Path, care: LoadedPolicy, quick: LoadedPolicy
) -> None:
    partition = Partition(tmp_path, care)
    partition.take(partition.record(failed(1), D0))
    move = PolicyChange(number=1, action="migrate", version=quick.version, changed_at=D0, customers=("c-1",))
    assert partition.take(partition.record(move, D0)) == []


def test_a_dropped_version_is_forgotten_but_for_the_one_in_force(
    tmp_path: Path, care: LoadedPolicy, quick: LoadedPolicy
) -> None:
    partition = Partition(tmp_path, care)
    partition.take(partition.publication(quick, 1, D0))
    assert partition.document(care.version) is not None
    partition.take(*map(partition.tombstone, (care.version, quick.version, "migrate-4-0")))
    assert partition.facts.policy_versions == (quick.version,)
    assert partition.document(care.version) is None
    assert partition.document(quick.version) is not None


def test_so_many_versions_are_known_and_the_oldest_goes_first(tmp_path: Path, care: LoadedPolicy) -> None:
    partition = Partition(tmp_path, care)
    many = [another(tmp_path, f"policy{number}") for number in range(MOST_VERSIONS + 2)]
    for number, each in enumerate(many, 1):
        partition.take(partition.publication(each, number, D0))
    assert partition.facts.policy_versions == tuple(each.version for each in many[2:])
    assert partition.document(many[1].version) is None
    assert partition.document(many[2].version) is not None


@pytest.mark.parametrize("change", [{"document": None}, {"document": b"?"}, {"version": "0" * 16}])
def test_a_publication_that_is_not_what_it_says_is_a_dead_letter(
    tmp_path: Path, care: LoadedPolicy, quick: LoadedPolicy, change: dict[str, object]
) -> None:
    partition = Partition(tmp_path, care)
    partition.take(partition.publication(quick, 1, D0, **change))
    assert partition.dead == ["undecodable"]
    assert partition.facts.policy_versions == (care.version,)


def test_a_policy_of_a_newer_release_stops_the_worker(tmp_path: Path, care: LoadedPolicy) -> None:

    document = {**care.document, "of_the_future": True}
    packed = zlib.compress(canonical(document).encode())
    partition = Partition(tmp_path, care)
    record = partition.publication(care, 1, D0, version=version_of(document), document=packed)
    with pytest.raises(UnreadablePolicyError, match="which this release cannot read"):
        partition.take(record)
