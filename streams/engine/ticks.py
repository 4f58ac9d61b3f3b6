"""The ticker: sends the time to each partition that this worker holds."""

import logging
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, Message, Producer

from streams.engine.librdkafka import client_properties
from streams.engine.progress import Progress
from streams.engine.settings import EngineSettings

__all__ = ["TickEncoder", "Ticker"]

logger = logging.getLogger(__name__)

TickEncoder = Callable[[int], bytes]
"""Epoch microseconds to the tick's value."""


class Ticker:
    """Sends ticks outside of any transaction: one that is lost is made up for by the next.

    Args:
        settings: topic and interval.
        encode: makes the value.
        progress: says which partitions are held.
    """

    def __init__(self, settings: EngineSettings, encode: TickEncoder, progress: Progress) -> None:
        assert settings.tick_topic is not None
        self._topic = settings.tick_topic
        self._encode = encode
        self._progress = progress
        interval = settings.tick_interval_seconds or 1.0
        self._producer = Producer(
            {
                **client_properties(settings),
                "enable.idempotence": True,
                "linger.ms": 0,
                # A tick that could not be sent in time is worth nothing.
                "delivery.timeout.ms": max(5_000, int(interval * 1000)),
                "on_delivery": self._on_delivery,
            }
        )

    def send(self) -> None:
        """Send one tick to every partition that is ready; never waits."""
        self._producer.poll(0)
        value = self._encode(time.time_ns() // 1000)
        for partition in sorted(self._progress.ready):
            try:
                self._producer.produce(self._topic, value, partition=partition)
            except BufferError:
                logger.warning("a tick is dropped: the ones before it are not sent yet")
                return

    def close(self) -> None:
        """Drop what is not sent yet."""
        self._producer.purge()
        self._producer.flush(1.0)

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None and error.code() != KafkaError._PURGE_QUEUE:  # noqa: SLF001
            logger.warning("a tick for %s could not be sent: %s", self._topic, error)
