import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from streams.dunning.commands import AccountCommand, NotificationCommand, Outcome, Reason, ReasonCode
from streams.dunning.decide import Decision
from streams.dunning.events import Input, PaymentFailed, Tick
from streams.dunning.offer_stock import NO_STOCK, Stock
from streams.dunning.state import CustomerState
from streams.lab.simulate import HORIZON, Output, simulate
from streams.lab.ticks import Outage
from streams.messages.history import Arrival, read_history, to_json_line
from streams.policy import LoadedPolicy, load

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
POLICY = load("care")
DAY = timedelta(days=1)
EXAMPLES = Path(__file__).parents[2] / "examples"

NextDue = Callable[[CustomerState | None, Input, datetime], datetime | None]


class StubPolicy:
    """Decides when a customer is due next, and says each input in its one reason."""

    def __init__(self, next_due: NextDue) -> None:
        self.policy = POLICY.policy
        self._next_due = next_due
        self.seen: list[tuple[str, str, datetime]] = []

    def decide(
        self,
        state: CustomerState | None,
        event: Input,
        clock: datetime,
        stock: Stock = NO_STOCK,  # noqa: ARG002 - nothing is offered here
    ) -> Decision:
        customer_id = state.customer_id if isinstance(event, Tick) and state else cast(Any, event).customer_id
        self.seen.append((customer_id, "tick" if isinstance(event, Tick) else event.event_id, clock))
        after = CustomerState(customer_id, clock, next_due=self._next_due(state, event, clock))
        return Decision(after, clock, reasons=(Reason(outcome=Outcome.RECORDED, reason=ReasonCode.FEEDBACK),))


def stub(next_due: NextDue) -> StubPolicy:
    return StubPolicy(next_due)


def run(policy: StubPolicy, history: list[Arrival], **options: Any) -> list[Output]:
    return list(simulate(history, cast(LoadedPolicy, policy), **options))


def event(customer: str, at: datetime, number: int = 1) -> Arrival:
    return Arrival(
        at,
        PaymentFailed(
            event_id=f"{customer}{number}",
            occurred_at=at,
            customer_id=customer,
            invoice_id=f"in-{customer}",
            amount_minor=2900,
            currency="USD",
        ),
    )


def once(due: datetime) -> NextDue:
    return lambda _state, event, _clock: None if isinstance(event, Tick) else due


def test_an_empty_history_says_nothing() -> None:
    assert run(stub(once(NOON)), []) == []


def test_an_event_is_decided_at_its_arrival() -> None:
    policy = stub(once(NOON + DAY))
    at = NOON + timedelta(seconds=17, milliseconds=3)
    run(policy, [event("a", at)], until=NOON + HOUR)
    assert policy.seen == [("a", "a1", at)]


def test_a_customer_is_decided_at_the_first_tick_at_or_after_it_is_due() -> None:
    for due, tick in ((NOON + HOUR, NOON + HOUR), (NOON + HOUR + timedelta(seconds=1), NOON + HOUR + MINUTE)):
        policy = stub(once(due))
        run(policy, [event("a", NOON)])
        assert policy.seen[1:] == [("a", "tick", tick)]


def test_a_tick_comes_after_all_that_arrived_up_to_it() -> None:
    policy = stub(once(NOON + HOUR))
    run(
        policy,
        [event("a", NOON), event("b", NOON + HOUR), event("c", NOON + HOUR + timedelta(milliseconds=1))],
    )
    assert [(who, what) for who, what, _ in policy.seen][:4] == [
        ("a", "a1"),
        ("b", "b1"),
        ("a", "tick"),
        ("b", "tick"),
    ]


def test_at_a_tick_customers_come_by_due_time_and_then_by_id() -> None:
    dues = {
        "c": NOON + HOUR,
        "a": NOON + HOUR + timedelta(seconds=2),
        "b": NOON + HOUR + timedelta(seconds=2),
    }

    def next_due(_state: CustomerState | None, event: Input, _clock: datetime) -> datetime | None:
        return None if isinstance(event, Tick) else dues[event.customer_id]

    policy = stub(next_due)
    run(policy, [event("b", NOON), event("a", NOON), event("c", NOON)])
    assert [who for who, what, _ in policy.seen if what == "tick"] == ["c", "a", "b"]


def test_who_is_due_again_at_once_waits_for_the_next_tick() -> None:
    def next_due(_state: CustomerState | None, event: Input, clock: datetime) -> datetime | None:
        if isinstance(event, Tick):
            return clock if clock < NOON + 3 * MINUTE else None
        return NOON + MINUTE

    policy = stub(next_due)
    run(policy, [event("a", NOON)])
    assert [clock for _, what, clock in policy.seen if what == "tick"] == [
        NOON + MINUTE,
        NOON + 2 * MINUTE,
        NOON + 3 * MINUTE,
    ]


def test_a_due_time_that_was_replaced_does_not_count() -> None:
    def next_due(state: CustomerState | None, event: Input, _clock: datetime) -> datetime | None:
        if isinstance(event, Tick):
            return None
        return NOON + HOUR if state is None else NOON + 2 * HOUR

    policy = stub(next_due)
    run(policy, [event("a", NOON), event("a", NOON + MINUTE, 2)])
    assert [clock for _, what, clock in policy.seen if what == "tick"] == [NOON + 2 * HOUR]


def test_in_an_outage_there_is_no_tick_and_events_keep_their_clock() -> None:
    policy = stub(once(NOON + HOUR))
    outage = Outage(NOON + 30 * MINUTE, NOON + 5 * HOUR)
    late = [event("b", NOON + 2 * HOUR), event("c", NOON + 5 * HOUR)]
    run(policy, [event("a", NOON), *late], outages=[outage])
    assert policy.seen == [
        ("a", "a1", NOON),
        ("b", "b1", NOON + 2 * HOUR),
        ("c", "c1", NOON + 5 * HOUR),
        ("a", "tick", NOON + 5 * HOUR),
        ("b", "tick", NOON + 5 * HOUR),
        ("c", "tick", NOON + 5 * HOUR),
    ]


def test_until_ends_events_and_ticks() -> None:
    policy = stub(once(NOON + HOUR))
    run(policy, [event("a", NOON), event("b", NOON + 2 * HOUR)], until=NOON + HOUR)
    assert [(who, what) for who, what, _ in policy.seen] == [("a", "a1"), ("a", "tick")]


def test_without_an_end_it_goes_on_until_nothing_is_due_but_not_for_ever() -> None:
    policy = stub(lambda _state, _event, clock: clock + 365 * DAY)
    run(policy, [event("a", NOON)])
    assert NOON + HORIZON - 366 * DAY < policy.seen[-1][2] <= NOON + HORIZON


def test_the_order_of_lines_counts_only_among_equal_arrivals() -> None:
    policy = stub(once(NOON + DAY))
    run(policy, [event("b", NOON + MINUTE), event("z", NOON), event("a", NOON)], until=NOON + HOUR)
    assert [who for who, _, _ in policy.seen] == ["z", "a", "b"]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_the_same_history_gives_the_same_bytes(path: Path) -> None:
    history, policy = read_history(path), POLICY
    first, second = ([to_json_line(each) for each in simulate(history, policy)] for _ in range(2))
    assert first == second
    assert first


def test_a_whole_ladder_keeps_the_local_hour() -> None:
    outputs = simulate(read_history(EXAMPLES / "three-zones.jsonl"), POLICY)
    sent = [each for each in outputs if isinstance(each, NotificationCommand | AccountCommand)]
    ada = [each for each in sent if each.customer_id == "ada"]
    assert [each.decided_at.isoformat() for each in ada[:3]] == [
        "2026-01-10T15:00:00+00:00",
        "2026-01-13T14:00:00+00:00",
        "2026-01-15T14:00:00+00:00",
    ]
    assert isinstance(ada[-1], AccountCommand)
    jun = [each for each in sent if each.customer_id == "jun"]
    assert all(each.decided_at.hour == 0 for each in jun[1:]), "nine in the morning in Tokyo"


def test_sixty_days_of_a_customer_take_well_under_a_second() -> None:
    policy = POLICY
    history = [event("ada", NOON)]
    started = time.perf_counter()
    outputs = list(simulate(history, policy, until=NOON + 60 * DAY))
    assert time.perf_counter() - started < 0.5
    assert len(outputs) > 5


def test_commands_come_before_the_decision_that_explains_them() -> None:
    outputs = list(simulate([event("ada", NOON)], POLICY, until=NOON))
    assert [type(each).__name__ for each in outputs] == ["NotificationCommand", "DecisionRecord"]
    assert replace(cast(Any, outputs[1]).input, event_id=None).kind == "payment-failed"
