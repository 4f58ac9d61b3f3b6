"""The agent that brings a topic as it is to the input that it should be.

An upstream's topic may be keyed by something else than `customer_id`, be divided into another number of
partitions, or hold JSON. Each of its records is read and checked as the input that it is, and written to that
input's topic with the customer as its key, so that it lies beside all else about the customer; in one
transaction with the offset, so never twice and never not.
"""

from collections.abc import AsyncIterable
from dataclasses import dataclass

from streams.agents.rejects import Rejects
from streams.dunning.events import Tick
from streams.engine import App, Batch, Record
from streams.messages.codec import Decoder, Encoder
from streams.messages.errors import BadRecord
from streams.messages.topics import Topic
from streams.ops.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Rekeying:
    """What becomes of the records of one topic.

    Attributes:
        target: the input that they are.
        topic: its name on the cluster.
        decoder: reads them.
        encoder: writes them anew, with this release's schema.
        rejects: takes what cannot be used.
        metrics: counts those.
    """

    target: Topic
    topic: str
    decoder: Decoder
    encoder: Encoder
    rejects: Rejects
    metrics: Metrics

    def carry(self, batch: Batch, record: Record) -> None:
        """Write a record to the input, with its timestamp and headers; a bad one to the dead letters.

        Raises:
            TooManyBadRecordsError: too large a share of the recent records is bad.
        """
        try:
            event = self.decoder.decode_any_key(self.target.name, record.value, record.timestamp)
        except BadRecord as error:
            self.rejects.reject(batch, record, error)
            self.metrics.dead_letter(self.target.name, error.code)
            return
        assert not isinstance(event, Tick), "ticks are no upstream's"
        self.rejects.accept()
        batch.emit(
            self.topic,
            key=event.customer_id.encode(),
            value=self.encoder.encode(event),
            headers=record.headers,
            timestamp=record.timestamp,
        )


def rekey_events(app: App, source: str, rekeying: Rekeying) -> None:
    """Carry all records of a topic to the input that it is.

    Args:
        app: runs the agent.
        source: the topic's name on the cluster.
        rekeying: what becomes of its records.
    """

    @app.agent(app.topic(source), name="rekeying")
    async def rekey(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            for record in batch:
                rekeying.carry(batch, record)
