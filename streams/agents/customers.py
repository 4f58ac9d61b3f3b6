"""The agent of everything that happens to customers."""

from collections.abc import AsyncIterable

from streams.agents.desk import Desk, from_micros
from streams.dunning.events import Tick
from streams.engine import App, Batch
from streams.messages.topics import INPUTS


def consume_events(app: App, desk: Desk) -> None:
    """Decide payments, cards, renewals, profiles and feedback, in the order of time within a partition."""

    @app.agent(app.topic(*map(desk.topic, INPUTS)), name="customers")
    async def customers(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            clock = desk.clock
            for record in batch:
                event = desk.read(batch, record)
                if event is None or isinstance(event, Tick):
                    continue
                before = desk.customers.get(event.customer_id)
                decision = desk.decide(before, event, max(clock, from_micros(record.timestamp * 1_000)))
                desk.keep(before, decision)
                desk.emit(batch, record, event, decision)
