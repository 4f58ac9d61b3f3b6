"""The agent of time: what has become due."""

from collections.abc import AsyncIterable

from streams.agents.desk import Desk, to_micros
from streams.dunning.events import Tick
from streams.engine import App, Batch, Record
from streams.messages.topics import TICKS

_DUE_IN_ONE_LOOK = 1_000
"""Customers that a tick asks for at a time: bounds the list, not the tick."""


def consume_ticks(app: App, desk: Desk) -> None:
    """Move the partition's clock, and decide all customers who are due."""

    @app.agent(app.topic(desk.topic(TICKS)), name="ticks")
    async def ticks(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            clock = began = desk.clock
            for record in batch:
                tick = desk.read(batch, record)
                if isinstance(tick, Tick) and tick.now > clock:
                    clock = tick.now
                    _decide_due(desk, batch, record, tick)
            if clock > began:
                desk.clock = clock


def _decide_due(desk: Desk, batch: Batch, record: Record, tick: Tick) -> None:
    """Decide each customer who is due, once: what is due again at once waits for the next tick."""
    seen: set[str] = set()
    until = to_micros(tick.now)
    while due := [
        each for each in desk.customers.due(until, _DUE_IN_ONE_LOOK + len(seen)) if each not in seen
    ]:
        seen.update(due)
        for customer_id in due:
            before = desk.customers[customer_id]
            try:
                decision = desk.decide(before, tick, tick.now)
            except Exception as error:  # noqa: BLE001 - one customer must not stop the clock of all others
                desk.put_off(batch, record, before, tick.now, error)
                continue
            desk.keep(before, decision)
            desk.emit(batch, record, tick, decision)
