"""The synthetic biller: a company with customers, as the engine sees it from its topics."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from streams.dunning.commands import DecisionRecord
from streams.lab.biller.billing import Billing
from streams.lab.biller.draws import Draws
from streams.lab.biller.people import make_customer
from streams.lab.biller.recipients import Recipients
from streams.lab.biller.timeline import Timeline
from streams.lab.simulate import Output
from streams.messages.history import Arrival

_MILLISECOND = timedelta(milliseconds=1)


class SyntheticBiller:
    """Tells what happens, in batches, and reacts to what the engine commands.

    The same seed and the same commands give the same events, in whatever order commands come within a batch.

    Args:
        seed: another seed, another company.
        customers: how many it has.
        start: when it begins (UTC).
        spread: a batch arrives within this time, evenly.
    """

    def __init__(self, *, seed: int, customers: int, start: datetime, spread: timedelta) -> None:
        draws = Draws(seed)
        everybody = [make_customer(draws, number, start) for number in range(1, customers + 1)]
        self._timeline = Timeline(start)
        self._billing = Billing(draws, self._timeline, everybody)
        self._recipients = Recipients(
            draws, self._timeline, self._billing, {each.customer_id: each for each in everybody}
        )
        self._spread = spread

    def batch(self, at: datetime) -> list[Arrival]:
        """What has happened since the last batch and up to the moment, arriving from then on."""
        events = self._timeline.run_until(at)
        gap = self._spread / (len(events) + 1) // _MILLISECOND * _MILLISECOND
        return [Arrival(at + (number + 1) * gap, event) for number, event in enumerate(events)]

    def receive(self, outputs: Iterable[Output]) -> None:
        """Act on the commands among what the engine has sent since the last batch."""
        self._recipients.receive(each for each in outputs if not isinstance(each, DecisionRecord))
