"""The Faust transport: what Faust asks of a consumer and a producer, answered by the engine."""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import faust.transport.base
from faust.assignor.leader_assignor import LeaderAssignor as FaustLeaderAssignor
from faust.transport.producer import Producer as FaustProducer
from faust.types import TP, RecordMetadata
from mode import Service

from streams.engine.errors import EngineError
from streams.engine.record import Batch

__all__ = ["Consumer", "LeaderAssignor", "Producer", "Transport"]


class Consumer(Service):
    """Stands for the engine where Faust wants a consumer.

    Reading, committing and rebalancing are the engine's; this starts it when Faust's conductor knows all
    topics.
    """

    def __init__(self, transport: "Transport", **_options: Any) -> None:
        super().__init__()
        self.transport = transport
        self.app = transport.app
        self.unacked: set[Any] = set()
        self.randomly_assigned_topics: set[str] = set()

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Agents and tables are known: let the engine run."""
        cast("Any", self.app).engine.begin(frozenset(topics))

    def assignment(self) -> set[TP]:
        """What this worker holds; nothing as soon as the engine stops, so Faust revokes nothing itself."""
        return set(cast("Any", self.app).engine.assignment())

    def topic_partitions(self, _topic: str) -> int | None:
        """Checked by the engine before it starts."""
        return None

    async def commit(self, _topics: Any = None) -> bool:
        """Rounds commit, nothing else."""
        return False

    def ack(self, _message: Any) -> bool:
        """A batch was acknowledged; its round knows."""
        return True

    def close(self) -> None:
        """The engine closes the client."""


class Producer(FaustProducer):
    """Lets ``topic.send()`` within a batch take part in its round."""

    async def send(  # noqa: PLR0917 - Faust's signature
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: Any,
        *,
        transactional_id: str | None = None,  # noqa: ARG002 - Faust's signature
    ) -> asyncio.Future[RecordMetadata]:
        """Add a record to the outputs of the batch in hand; its offset is not known before the commit.

        Raises:
            EngineError: no batch is in hand.
        """
        event = faust.current_event()
        if event is None or not isinstance(event.value, Batch):
            raise EngineError(
                f"a record for {topic} was sent outside of a batch, where there is no transaction"
            )
        event.value.emit(
            topic,
            key=key,
            value=value,
            headers=list(headers.items() if isinstance(headers, dict) else headers or ()),
            timestamp=None if timestamp is None else int(timestamp * 1000),
            partition=partition,
        )
        number = -1 if partition is None else partition
        sent: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        sent.set_result(RecordMetadata(topic, number, TP(topic, number), -1))
        return sent

    async def send_and_wait(self, *args: Any, **options: Any) -> RecordMetadata:
        """As `send`: the commit is what there is to wait for, and it comes after the agent."""
        return await (await self.send(*args, **options))

    async def flush(self) -> None:
        """Rounds flush."""


class LeaderAssignor(FaustLeaderAssignor):
    """The leader is who holds partition 0, so no topic is needed to elect one."""

    async def on_start(self) -> None:
        """Nothing to declare."""

    def is_leader(self) -> bool:
        """Whether this worker holds partition 0."""
        return 0 in cast("Any", self.app).engine.progress.assigned


class Transport(faust.transport.base.Transport):
    """Plugs the engine into Faust under the scheme ``rounds``."""

    Consumer = cast("Any", Consumer)
    Producer = Producer
    driver_version = "streams.engine"
