"""A partition draws offers from its share of their totals, which it keeps beside its customers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streams.dunning.commands import NotificationCommand
from streams.dunning.events import Channel, CustomerProfile, RenewalUpcoming
from streams.dunning.offer_leases import LeaseMessage
from streams.lab.simulate import simulate
from streams.messages.history import Arrival
from streams.policy import LoadedPolicy, load

from .partition import Output, Partition

START = datetime(2026, 1, 5, 15, tzinfo=UTC)
NINE = datetime(2026, 1, 13, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def offering(tmp_path: Path, total: int) -> LoadedPolicy:
    path = tmp_path / f"offering-{total}.yaml"
    path.write_text(
        f"""
extends: care
name: offering
segments: [{{name: standard, offers: [early]}}]
cards: {{reminders: []}}
renewals:
  reminders:
    - {{id: renewal_30, days_before: 30, channels: [email], template: renewal_upcoming}}
    - {{id: renewal_7, days_before: 7, channels: [email], template: renewal_upcoming}}
offers:
  early:
    kind: early_renewal
    days_before_at_least: 7
    holds_for: 7
    channels: [email]
    terms: {{percent_off: 10}}
    budget: {{offers: {total}}}
content:
  en:
    renewal_upcoming:
      email:
        body: "{{{{ renews_on | date }}}}{{% if offer_kind %}} {{{{ offer_percent }}}}% off{{% endif %}}"
"""
    )
    return load(path)


def customers(number: int) -> list[CustomerProfile | RenewalUpcoming]:
    """So many who have consented and renew in a week."""
    events: list[CustomerProfile | RenewalUpcoming] = []
    for each in range(number):
        customer_id = f"c-{each}"
        events.append(
            CustomerProfile(
                event_id=f"p-{each}",
                occurred_at=START,
                customer_id=customer_id,
                customer_since=START,
                timezone="UTC",
                locale="en",
                country="US",
                channels=(Channel.EMAIL,),
                marketing_consent=True,
                exempt=False,
            )
        )
        events.append(
            RenewalUpcoming(
                event_id=f"r-{each}",
                occurred_at=START,
                customer_id=customer_id,
                subscription_id=f"s-{each}",
                renews_at=NINE + timedelta(days=7, hours=3),
                amount_minor=2_000,
                currency="USD",
                interval="month",
                plan_name="Basic",
            )
        )
    return events


def offers(outputs: list[Output]) -> list[str | None]:
    return [each.offer for each in outputs if isinstance(each, NotificationCommand)]


@pytest.mark.parametrize("total", [0, 3, 10, 12, 500])
def test_reminders_carry_what_there_is_and_go_plain_when_it_is_spent(tmp_path: Path, total: int) -> None:
    partition = Partition(tmp_path, offering(tmp_path, total))
    partition.take(*(partition.record(each, START) for each in customers(12)))
    partition.hear()
    for minute in range(20):
        partition.tick(NINE + minute * MINUTE)
        partition.hear()
    sent = offers(partition.outputs)
    assert len(sent) == 12
    assert sent.count("early") == min(total, 12)
    if total:
        assert partition.book().leases["early"].used == min(total, 12)


def test_a_partition_that_moves_keeps_its_share(tmp_path: Path) -> None:
    policy = offering(tmp_path, 500)
    partition = Partition(tmp_path, policy)
    partition.take(*(partition.record(each, START) for each in customers(12)))
    partition.hear()
    partition.tick(NINE)
    other = partition.moved(policy)
    assert other.book() == partition.book()
    lease = other.book().leases["early"]
    assert (lease.held, lease.used) == (500 // 16 - 12, 12)


def test_another_total_counts_from_its_publication(tmp_path: Path) -> None:
    partition = Partition(tmp_path, offering(tmp_path, 0))
    partition.take(*(partition.record(each, START) for each in customers(4)))
    partition.tick(START + MINUTE)
    partition.hear()
    partition.take(partition.publication(offering(tmp_path, 2), 1, START))
    partition.hear()
    for minute in range(20):
        partition.tick(NINE + minute * MINUTE)
        partition.hear()
    assert offers(partition.outputs).count("early") == 2
    assert partition.book().ledgers["early"].total == 2


def test_without_offers_nothing_is_said_or_kept(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text("extends: care\nname: plain\noffers: null\nsegments: [{name: at_risk}]\n")
    partition = Partition(tmp_path, load(path))
    partition.take(*(partition.record(each, START) for each in customers(2)))
    partition.tick(NINE)
    assert not partition.said
    assert partition.book() is None


def test_a_word_that_cannot_be_read_is_a_dead_letter(tmp_path: Path) -> None:
    partition = Partition(tmp_path, offering(tmp_path, 5))
    word = LeaseMessage(action="grant", account="early", partition=0, amount=1)
    record = partition.record(word, START)
    record.value = b"\x00"
    partition.take(record)
    assert partition.dead


@pytest.mark.parametrize("partitions", [1, 4])
def test_the_simulator_spends_exactly_the_total(tmp_path: Path, partitions: int) -> None:
    history = [Arrival(START, each) for each in customers(40)]
    for total in (0, 1, 7, 40, 60):
        outputs = simulate(history, offering(tmp_path, total), partitions=partitions)
        sent = offers([each for each in outputs if isinstance(each, NotificationCommand)])
        assert len(sent) == 80
        assert sent.count("early") == min(total, 40)
