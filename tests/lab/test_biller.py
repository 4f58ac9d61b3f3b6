from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from streams.dunning.events import (
    Card,
    CardUpdated,
    Feedback,
    PaymentFailed,
    PaymentRecovered,
    SubscriptionCancelled,
)
from streams.lab.biller import SyntheticBiller
from streams.lab.biller.people import card_ends, next_renewal
from streams.lab.simulate import Output, simulate
from streams.lab.ticks import TickGrid
from streams.lab.worlds import SimulatedWorld, Stretch, play
from streams.messages.codec import Decoder, Encoder
from streams.messages.history import Arrival, to_json_line
from streams.messages.topics import topic_of
from streams.policy import load

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = load("care")
END = START + timedelta(days=90)
EVERY = timedelta(hours=6)


class Shuffled:
    """A world that tells what was said in a stretch backwards."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world

    def play(self, arrivals: Sequence[Arrival], until: datetime) -> list[Output]:
        return self._world.play(arrivals, until)[::-1]


def biller(seed: int = 1, customers: int = 60) -> SyntheticBiller:
    return SyntheticBiller(seed=seed, customers=customers, start=START, spread=timedelta(minutes=50))


def played(company: SyntheticBiller, *, shuffled: bool = False) -> list[Stretch]:
    world = SimulatedWorld(POLICY, TickGrid(HOUR))
    return list(play(company, Shuffled(world) if shuffled else world, START, END, EVERY))


def lines(stretches: list[Stretch]) -> list[str]:
    return [
        to_json_line(arrival.event, arrived_at=arrival.arrived_at)
        for stretch in stretches
        for arrival in stretch.arrivals
    ]


def test_a_seed_is_a_history() -> None:
    assert lines(played(biller())) == lines(played(biller()))
    assert lines(played(biller())) != lines(played(biller(seed=2)))


def test_the_order_of_commands_changes_nothing() -> None:
    assert lines(played(biller())) == lines(played(biller(), shuffled=True))


def test_it_is_a_lively_world() -> None:
    events = [arrival.event for stretch in played(biller(customers=200)) for arrival in stretch.arrivals]
    kinds = {type(event) for event in events}
    assert {PaymentFailed, PaymentRecovered, Feedback, CardUpdated, SubscriptionCancelled} <= kinds
    failed = {event.invoice_id for event in events if isinstance(event, PaymentFailed)}
    recovered = {event.invoice_id for event in events if isinstance(event, PaymentRecovered)} & failed
    assert 0.3 < len(recovered) / len(failed) < 0.9


def test_every_event_is_good_input() -> None:
    encoder, decoder = Encoder(), Decoder()
    for stretch in played(biller(customers=200)):
        for arrival in stretch.arrivals:
            timestamp = int(arrival.arrived_at.timestamp() * 1000)
            key = arrival.event.customer_id.encode()
            value = encoder.encode(arrival.event)
            assert decoder.decode(topic_of(arrival.event).name, key, value, timestamp) == arrival.event


def test_event_ids_are_unique_and_batches_in_order() -> None:
    stretches = played(biller())
    arrivals = [arrival for stretch in stretches for arrival in stretch.arrivals]
    assert len({arrival.event.event_id for arrival in arrivals}) == len(arrivals)
    assert all(before.arrived_at < after.arrived_at for before, after in pairwise(arrivals))
    assert all(arrival.event.occurred_at <= arrival.arrived_at for arrival in arrivals)


def test_stretch_by_stretch_is_the_same_as_the_history_at_once() -> None:
    stretches = played(biller())
    history = [arrival for stretch in stretches for arrival in stretch.arrivals]
    reacted = [to_json_line(output) for stretch in stretches for output in stretch.outputs]
    assert reacted == [to_json_line(each) for each in simulate(history, POLICY, END, HOUR)]


def test_a_month_after_the_last_of_january() -> None:
    assert next_renewal(datetime(2026, 1, 31, 7, tzinfo=UTC), "month") == datetime(2026, 2, 28, 7, tzinfo=UTC)
    assert next_renewal(datetime(2026, 12, 5, tzinfo=UTC), "month") == datetime(2027, 1, 5, tzinfo=UTC)
    assert next_renewal(datetime(2028, 2, 29, tzinfo=UTC), "year") == datetime(2029, 2, 28, tzinfo=UTC)


def test_a_card_is_good_to_the_end_of_its_month() -> None:
    december = Card(payment_method_id="pm", brand="visa", last4="1", exp_month=12, exp_year=2026)
    assert card_ends(december) == datetime(2027, 1, 1, tzinfo=UTC)
