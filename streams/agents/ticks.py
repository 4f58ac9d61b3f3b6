"""The agent of time: what has become due."""

from collections.abc import AsyncIterable

from streams.agents.desk import Desk
from streams.engine import App, Batch
from streams.messages.topics import TICKS


def consume_ticks(app: App, desk: Desk) -> None:
    """Move the partition's clock, and decide all customers who are due."""

    @app.agent(app.topic(desk.topic(TICKS)), name="ticks")
    async def ticks(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            with desk.sitting(batch) as sitting:
                for record in batch:
                    sitting.advance(record)
