"""The agent of everything that happens to customers."""

from collections.abc import AsyncIterable

from streams.agents.desk import Desk
from streams.engine import App, Batch
from streams.messages.topics import INPUTS, LEASES, POLICIES


def consume_events(app: App, desk: Desk) -> None:
    """Decide payments, cards, renewals, profiles and feedback, in the order of time within a partition.

    A change of the policy takes its place among them, and so does what is said of offers' totals.
    """

    @app.agent(app.topic(*map(desk.topic, (*INPUTS, POLICIES, LEASES))), name="customers")
    async def customers(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            with desk.sitting(batch) as sitting:
                for record in batch:
                    sitting.decide(record)
