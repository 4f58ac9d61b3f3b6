"""Outcomes are counted beside the customers, in their partition and round, by not too many groups."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from streams.dunning.events import CustomerEvent, PaymentFailed, PaymentRecovered
from streams.dunning.measures import About, Counts, Group, Measure, Tally, add_up
from streams.policy import load

from .partition import Partition

D0 = datetime(2026, 1, 5, 15, tzinfo=UTC)
CUSTOMERS = ("ada", "ben", "cem")


def bill(customer: str, *, paid: bool) -> CustomerEvent:
    kind = PaymentRecovered if paid else PaymentFailed
    return kind(
        event_id=f"{customer} {paid}",
        occurred_at=D0 + timedelta(hours=paid),
        customer_id=customer,
        invoice_id=f"i-{customer}",
        amount_minor=4_900,
        currency="USD",
    )


def played(partition: Partition, *customers: str) -> Counts:
    for paid in (False, True):
        at = D0 + timedelta(hours=paid)
        partition.take(*(partition.record(bill(each, paid=paid), at) for each in customers))
    return partition.outcomes


def test_the_sum_over_partitions_is_the_sum_over_customers(tmp_path: Path) -> None:
    together = played(Partition(tmp_path / "all", load("care")), *CUSTOMERS)
    apart: Counts = {}
    for customer in CUSTOMERS:
        counts = played(Partition(tmp_path / customer, load("care")), customer)
        for group, counted in counts.items():
            add_up(apart, (Tally(group, measure, amount) for measure, amount in counted.items()))

    assert together == apart
    assert sum(counted.get(Measure.PAID_LAST, 0) for counted in together.values()) == len(CUSTOMERS)


def test_another_worker_goes_on_counting_where_the_first_stopped(tmp_path: Path) -> None:
    policy = load("care")
    first = Partition(tmp_path, policy)
    first.take(*(first.record(bill(each, paid=False), D0) for each in CUSTOMERS))
    second = first.moved(policy)
    at = D0 + timedelta(hours=1)
    second.take(*(second.record(bill(each, paid=True), at) for each in CUSTOMERS))

    assert second.outcomes == played(Partition(tmp_path / "one", policy), *CUSTOMERS)


def test_a_group_too_many_is_counted_as_other(tmp_path: Path) -> None:
    policy = load("care")
    all_of = played(Partition(tmp_path / "all", policy), *CUSTOMERS)
    assert len(all_of) == 2, "the case as a whole, and its first step"
    bounded = Partition(tmp_path / "few", policy, most_groups=1)
    counts = played(bounded, *CUSTOMERS)

    other = Group(About.OTHER)
    (kept,) = counts.keys() - {other}
    assert counts[kept] == all_of[kept]
    (beyond,) = all_of.keys() - {kept}
    assert counts[other] == all_of[beyond]
    assert bounded.facts.outcome_groups == 2
