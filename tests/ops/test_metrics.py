import inspect
import sys
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from prometheus_client import generate_latest

from streams.dunning.commands import Missing, Outcome, ReasonCode
from streams.dunning.decide import decide
from streams.dunning.events import Tick
from streams.dunning.state import CustomerState
from streams.engine import Observer, Record, TopicPartition
from streams.ops import NO_CASES, CaseCounts, Metrics, PartitionFacts, move_cases
from streams.policy import load

from .examples import (
    EMPTY,
    FAILED,
    NOW,
    RECOVERED,
    FakeRecord,
    decision,
    notification,
    owing,
    reason,
    suspension,
)

Read = Callable[[str], dict[tuple[str, ...], float]]
Commit = Callable[[], None]

FAILURES = TopicPartition("billing.payment-failed.v1", 3)
TICKS = TopicPartition("dunning.tick.v1", 3)
OTHERS = TopicPartition("billing.payment-failed.v1", 4)


class Told(Metrics, Observer):
    """As the composition root puts it together; mypy checks that the signatures agree."""


def test_the_engine_is_answered_in_all_that_it_reports() -> None:
    for name, method in vars(Observer).items():
        if not name.startswith("_"):
            own = vars(Metrics)[name]
            assert list(inspect.signature(own).parameters) == list(inspect.signature(method).parameters), name
    assert isinstance(Told(version="1"), Observer)


def test_nothing_counts_before_the_round_is_committed(metrics: Metrics, read: Read, commit: Commit) -> None:
    metrics.event_decided(FAILED, None, decision(reason(), commands=(notification(),)))
    metrics.partition_moved(3, PartitionFacts(NOW, (0, 0, 0, 0, 0, 1)))
    names = (
        "dunning_events_total",
        "dunning_decisions_total",
        "dunning_notification_commands_total",
        "dunning_cases",
        "dunning_clock_delay_seconds",
    )
    assert not any(read(name) for name in names)
    commit()
    assert all(len(read(name)) == 1 for name in names)
    commit()
    assert read("dunning_events_total") == {("payment-failed", "decided"): 1}


@pytest.mark.parametrize("ending", ["failed", "revoked", "stopped"])
def test_what_a_dropped_round_said_never_counts(
    metrics: Metrics, read: Read, commit: Commit, ending: str
) -> None:
    metrics.event_decided(FAILED, None, decision(reason(), commands=(notification(), suspension())))
    metrics.customer_due(decision(reason()))
    metrics.dead_letter("billing.payment-failed.v1", "not_avro")
    metrics.partition_moved(3, PartitionFacts(NOW, (1, 0, 0, 0, 0, 0)))
    match ending:
        case "failed":
            metrics.round_failed(cause="agent", error=ValueError())
        case "revoked":
            metrics.revoked([FAILURES])
        case _:
            metrics.stopped(0, None)
    metrics.event_decided(RECOVERED, None, decision())
    commit()
    assert read("dunning_events_total") == {("payment-recovered", "decided"): 1}
    for name in ("decisions_total", "notification_commands_total", "dead_letters_total", "cases"):
        assert not read(f"dunning_{name}")
    assert read("dunning_round_failures_total") == ({("agent",): 1} if ending == "failed" else {})


def test_decisions_commands_suppressions_and_what_was_missing(
    metrics: Metrics, read: Read, commit: Commit
) -> None:
    blocked = reason(
        Outcome.BLOCKED, ReasonCode.GATE_NOT_MET, (Missing.FINAL_NOTICE, Missing.DELIVERED_CONTACTS)
    )
    superseded = reason(Outcome.SUPERSEDED, ReasonCode.LATER_STEP_DUE)
    sent = reason(Outcome.SENT, ReasonCode.STEP_DUE)
    metrics.customer_due(decision(sent, superseded, superseded, commands=(notification("final_notice"),)))
    metrics.customer_due(decision(blocked))
    metrics.customer_due(decision(commands=(suspension(),)))
    commit()
    assert read("dunning_customers_due_total") == {(): 3}
    assert read("dunning_decisions_total") == {
        ("sent", "step_due"): 1,
        ("superseded", "later_step_due"): 2,
        ("blocked", "gate_not_met"): 1,
    }
    assert read("dunning_suppressions_total") == {("later_step_due",): 2}
    assert read("dunning_suspensions_blocked_total") == {("final_notice",): 1, ("delivered_contacts",): 1}
    assert read("dunning_notification_commands_total") == {("email", "transactional", "final_notice"): 1}
    assert read("dunning_account_commands_total") == {("suspend",): 1}


def test_bad_records_are_counted_where_they_are_found(metrics: Metrics, read: Read, commit: Commit) -> None:
    metrics.dead_letter("prefix-billing.payment-failed.v1", "not_avro")
    commit()
    metrics.poisoned(FakeRecord("billing.payment-failed.v1"), ValueError())
    assert read("dunning_dead_letters_total") == {
        ("payment-failed", "not_avro"): 1,
        ("payment-failed", "processing_failed"): 1,
    }
    assert read("dunning_events_total") == {("payment-failed", "bad"): 2}


def test_a_record_of_the_engine_can_be_poisoned(read: Read, metrics: Metrics) -> None:
    metrics.poisoned(Record("crm.customer-profile.v1", 0, 1, 2, None, None), ValueError())
    assert read("dunning_events_total") == {("customer-profile", "bad"): 1}


def test_a_recovery_is_the_payment_of_what_was_owed(metrics: Metrics, read: Read, commit: Commit) -> None:
    metrics.event_decided(RECOVERED, owing(), decision(state=EMPTY))
    commit()
    assert read("dunning_recoveries_total") == {("USD",): 1}
    assert read("dunning_recovered_minor_units_total") == {("USD",): 1_250}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, EMPTY),  # paid on time
        (EMPTY, EMPTY),
        (owing(), owing()),  # paid before it failed: it is still owed
    ],
)
def test_other_payments_are_no_recoveries(
    metrics: Metrics, read: Read, commit: Commit, before: CustomerState | None, after: CustomerState
) -> None:
    metrics.event_decided(RECOVERED, before, decision(state=after))
    commit()
    assert not read("dunning_recoveries_total")
    assert not read("dunning_recovered_minor_units_total")


def test_cases_by_stage_are_those_of_the_domain(metrics: Metrics, read: Read, commit: Commit) -> None:
    policy = load("care").policy
    state: CustomerState | None = None
    counts: CaseCounts = NO_CASES
    for event in (FAILED, FAILED, Tick(now=NOW + timedelta(days=54)), RECOVERED):
        clock = event.now if isinstance(event, Tick) else NOW
        made = decide(state, event, clock, policy)
        if isinstance(event, Tick):
            metrics.customer_due(made)
        else:
            metrics.event_decided(event, state, made)
        counts = move_cases(counts, state, made.state)
        metrics.partition_moved(3, PartitionFacts(clock, counts))
        commit()
        state = made.state
        open_cases = {stage: count for (_, stage), count in read("dunning_cases").items()}
        assert sum(open_cases.values()) == len(state.cases)
        if isinstance(event, Tick):
            assert open_cases == {"final_notice": 1}
    assert counts == NO_CASES
    assert read("dunning_recoveries_total") == {("USD",): 1}
    assert read("dunning_events_total") == {
        ("payment-failed", "decided"): 1,
        ("payment-failed", "duplicate"): 1,
        ("payment-recovered", "decided"): 1,
    }


def test_a_restored_partition_reports_again_what_its_state_says(metrics: Metrics, read: Read) -> None:
    kept = {3: PartitionFacts(NOW - timedelta(seconds=10), (0, 2, 0, 0, 0, 5)), 4: None}
    metrics.recall_from(kept.get)
    metrics.assigned([FAILURES, TICKS, OTHERS])
    assert read("dunning_partitions") == {("assigned",): 2}
    metrics.ready(3)
    metrics.ready(4)
    assert read("dunning_partitions") == {("assigned",): 2, ("ready",): 2}
    assert read("dunning_cases") == {("3", "suspended"): 2, ("3", "running"): 5}
    assert read("dunning_clock_delay_seconds") == {("3",): 15}


def test_revoked_partitions_are_reported_by_others(metrics: Metrics, read: Read, commit: Commit) -> None:
    metrics.assigned([FAILURES, OTHERS])
    for number in (3, 4):
        metrics.ready(number)
        metrics.partition_moved(number, PartitionFacts(NOW, (1, 1, 1, 1, 1, 1)))
        metrics.ticks_held(number, 1)
        metrics.table_size("customers", number, keys=9, size_bytes=1)
        metrics.agenda("customers", number, earliest=1, due=1)
        metrics.restoring("customers", number, 9, 1)
    metrics.lag({FAILURES: 1, OTHERS: 2})
    commit()
    metrics.revoked([FAILURES])
    metrics.lag({FAILURES: 5, OTHERS: 6})  # measured before, told after
    for name in (
        "lag_records",
        "cases",
        "clock_delay_seconds",
        "held_ticks",
        "table_keys",
        "store_bytes",
        "oldest_due_seconds",
        "due_backlog",
        "restored_records",
        "restore_remaining_offsets",
    ):
        assert {labels[0] for labels in read(f"dunning_{name}")} <= {"4", "customers"}
        assert not any("3" in labels for labels in read(f"dunning_{name}"))
        assert read(f"dunning_{name}")
    assert read("dunning_partitions") == {("assigned",): 1, ("ready",): 1}


def test_the_delay_of_a_clock_grows_while_nothing_happens() -> None:
    now = [NOW.timestamp()]
    metrics = Metrics(version="1", wall_clock=lambda: now[0])
    metrics.recall_from(lambda _: PartitionFacts(NOW, NO_CASES))
    metrics.ready(0)
    now[0] += 42
    assert b'dunning_clock_delay_seconds{partition="0"} 42.0' in generate_latest(metrics.registry)


def test_who_is_due_waits_longer_while_no_tick_decides() -> None:
    now = [NOW.timestamp()]
    metrics = Metrics(version="1", wall_clock=lambda: now[0])
    metrics.agenda("customers", 0, earliest=int((now[0] + 10) * 1e6), due=0)
    metrics.agenda("customers", 1, earliest=None, due=0)

    def waiting(partition: int) -> float | None:
        labels = {"table": "customers", "partition": str(partition)}
        return metrics.registry.get_sample_value("dunning_oldest_due_seconds", labels)

    assert waiting(0) == waiting(1) == 0
    now[0] += 25
    assert waiting(0) == 15
    assert waiting(1) == 0


def test_an_answer_of_the_broker_ends_the_age_of_the_lag() -> None:
    now = [NOW.timestamp()]
    metrics = Metrics(version="1", wall_clock=lambda: now[0])
    now[0] += 30
    assert metrics.registry.get_sample_value("dunning_lag_age_seconds") == 30
    metrics.lag({})
    assert metrics.registry.get_sample_value("dunning_lag_age_seconds") == 0
    assert metrics.registry.get_sample_value("dunning_start_time_seconds") == NOW.timestamp()


def test_transactions_are_counted_as_they_end(metrics: Metrics, read: Read) -> None:
    metrics.transaction_ended(committed=True, duration_seconds=0.012)
    metrics.transaction_ended(committed=False, duration_seconds=30)
    assert read("dunning_transactions_total") == {("committed",): 1, ("aborted",): 1}
    assert read("dunning_transaction_duration_seconds_count") == {(): 1}


def test_every_assignment_is_a_rebalance(metrics: Metrics, read: Read) -> None:
    metrics.inputs(12)
    metrics.assigned([FAILURES])
    metrics.revoked([FAILURES])
    metrics.assigned([FAILURES, OTHERS])
    assert read("dunning_rebalances_total") == {(): 2}
    assert read("dunning_input_partitions") == {(): 12}


def test_what_may_raise_an_alert_begins_at_zero(metrics: Metrics) -> None:
    text = generate_latest(metrics.registry).decode()
    assert 'dunning_dead_letters_total{kind="payment-failed",reason="not_avro"} 0.0' in text
    assert 'dunning_round_failures_total{cause="aborted"} 0.0' in text
    assert 'dunning_account_commands_total{action="suspend"} 0.0' in text


def test_rounds(read: Read, commit: Commit) -> None:
    commit()
    commit()
    assert read("dunning_round_duration_seconds_count") == {(): 2}
    assert read("dunning_round_duration_seconds_sum") == {(): 0.03}
    assert read("dunning_round_duration_seconds_bucket")["0.02",] == 2
    assert ("0.01",) not in read("dunning_round_duration_seconds_bucket")
    assert read("dunning_round_records_sum") == {(): 6}
    assert read("dunning_output_records_total") == {(): 4}
    assert read("dunning_changelog_records_total") == {(): 2}


def test_a_bound_belongs_to_its_own_bucket(metrics: Metrics, read: Read) -> None:
    metrics.round_committed(duration_seconds=0.01, records=9_000, outputs=0, changes=0)
    assert read("dunning_round_duration_seconds_bucket")["0.01",] == 1
    assert set(read("dunning_round_records_bucket")) == {("+Inf",)}


def test_the_policy_in_force_is_one(metrics: Metrics, read: Read) -> None:
    metrics.policy_in_force("care", "old")
    metrics.policy_in_force("care", "new")
    assert read("dunning_policy_info") == {("care", "new"): 1}
    python = ".".join(map(str, sys.version_info[:3]))
    assert read("dunning_build_info") == {(python, "1.2.3"): 1}


def test_a_scrape_never_sees_half_a_round(metrics: Metrics, read: Read, commit: Commit) -> None:
    stop = threading.Event()
    unequal: list[bytes] = []

    def scrape() -> None:
        while not stop.is_set():
            families = {family.name: family for family in metrics.registry.collect()}
            due = families["dunning_customers_due"].samples[0].value
            sent = sum(sample.value for sample in families["dunning_notification_commands"].samples)
            if due != sent:
                unequal.append(generate_latest(metrics.registry))

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        for _ in range(2_000):
            metrics.customer_due(decision(commands=(notification(),)))
            commit()
    finally:
        stop.set()
        thread.join()
    assert not unequal
    assert read("dunning_customers_due_total") == {(): 2_000}


def test_labels_outside_the_catalogue_cost_no_memory(metrics: Metrics, read: Read, commit: Commit) -> None:
    for number in range(1_000):
        metrics.dead_letter("billing.payment-failed.v1", f"reason-{number}")
        commit()
    assert read("dunning_dead_letters_total") == {("payment-failed", "other"): 1_000}
