from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from streams.dunning.events import CustomerEvent, PaymentFailed, PaymentRecovered
from streams.lab.lanes import Step, steps
from streams.lab.ticks import Outage, TickGrid
from streams.messages.history import Arrival

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def failed(customer: str, at: datetime, number: int = 1) -> Arrival:
    event = PaymentFailed(
        event_id=f"{customer}-failed-{number}",
        occurred_at=at,
        customer_id=customer,
        invoice_id=f"in-{customer}",
        amount_minor=100,
        currency="EUR",
    )
    return Arrival(at, event)


def paid(customer: str, at: datetime) -> Arrival:
    event: CustomerEvent = PaymentRecovered(
        event_id=f"{customer}-paid",
        occurred_at=at,
        customer_id=customer,
        invoice_id=f"in-{customer}",
        amount_minor=100,
        currency="EUR",
    )
    return Arrival(at, event)


def told(
    arrivals: Sequence[Arrival], until: datetime, grid: TickGrid | None = None
) -> list[tuple[list[str], int]]:
    """The steps as the events' ids and the number of ticks after them."""
    grid = grid or TickGrid(HOUR)
    found: list[Step] = list(steps(arrivals, grid, NOON, until))
    return [
        (
            [arrival.event.event_id for arrival in step.events],
            0 if step.until is None else len(list(grid.between(step.after, step.until))),
        )
        for step in found
    ]


def test_without_events_there_is_one_step_of_ticks() -> None:
    assert told([], NOON + 3 * HOUR) == [([], 3)]


def test_nothing_to_publish_is_no_step() -> None:
    assert told([], NOON + MINUTE) == []


def test_ticks_before_an_event_are_waited_for() -> None:
    arrivals = [failed("a", NOON + 2 * HOUR + MINUTE)]
    assert told(arrivals, NOON + 4 * HOUR) == [([], 2), (["a-failed-1"], 2)]


def test_an_event_at_a_tick_comes_before_it() -> None:
    assert told([failed("a", NOON + HOUR)], NOON + HOUR) == [(["a-failed-1"], 1)]


def test_events_of_different_customers_go_together() -> None:
    arrivals = [failed("a", NOON + MINUTE), paid("b", NOON + 2 * MINUTE)]
    assert told(arrivals, NOON + HOUR) == [(["a-failed-1", "b-paid"], 1)]


def test_events_of_one_customer_go_together_only_within_a_topic() -> None:
    arrivals = [
        failed("a", NOON + MINUTE),
        failed("a", NOON + 2 * MINUTE, 2),
        paid("a", NOON + 3 * MINUTE),
        failed("a", NOON + 4 * MINUTE, 3),
    ]
    assert told(arrivals, NOON + HOUR) == [
        (["a-failed-1", "a-failed-2"], 0),
        (["a-paid"], 0),
        (["a-failed-3"], 1),
    ]


def test_in_an_outage_there_are_no_ticks_to_wait_for() -> None:
    grid = TickGrid(HOUR, [Outage(NOON + HOUR, NOON + 10 * HOUR)])
    arrivals = [failed("a", NOON + 2 * HOUR), paid("b", NOON + 9 * HOUR)]
    assert told(arrivals, NOON + 11 * HOUR, grid) == [(["a-failed-1", "b-paid"], 2)]


def test_all_events_and_ticks_are_there_once() -> None:
    arrivals = [failed("a", NOON + number * 7 * MINUTE, number) for number in range(1, 60)]
    found = told(arrivals, NOON + 8 * HOUR)
    assert [event for events, _ in found for event in events] == [each.event.event_id for each in arrivals]
    assert sum(ticks for _, ticks in found) == 8
