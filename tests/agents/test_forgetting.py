"""Who is forgotten leaves the table, and the counts of cases stay right."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from streams.dunning.events import PaymentFailed, PaymentRecovered
from streams.policy import load

from .partition import Partition

D0 = datetime(2026, 1, 5, 15, tzinfo=UTC)


def test_a_quiet_customer_leaves_the_table(tmp_path: Path) -> None:
    policy = load("care")
    partition = Partition(tmp_path, policy)
    common = {"invoice_id": "i-1", "amount_minor": 4_900, "currency": "USD"}
    paid = D0 + timedelta(days=1)
    failed = [
        PaymentFailed(event_id=f"f-{each}", occurred_at=D0, customer_id=each, **common)  # type: ignore[arg-type]
        for each in ("ada", "ben")
    ]
    recovered = PaymentRecovered(event_id="p-1", occurred_at=paid, customer_id="ada", **common)  # type: ignore[arg-type]
    partition.take(*(partition.record(each, D0) for each in failed), partition.record(recovered, paid))
    quiet = paid + policy.policy.memory.quiet_customers
    partition.tick(quiet - timedelta(minutes=1))
    assert partition.state("ada") is not None
    partition.tick(quiet)
    assert partition.state("ada") is None
    assert partition.state("ben") is not None
    assert sum(partition.facts.cases) == 1
    # Who comes back is a customer like any other.
    again = PaymentFailed(event_id="f-9", occurred_at=quiet, customer_id="ada", **common)  # type: ignore[arg-type]
    partition.take(partition.record(again, quiet))
    assert sum(partition.facts.cases) == 2
