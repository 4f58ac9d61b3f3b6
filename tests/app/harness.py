"""Runs real workers as processes on topics of their own, feeds them, and reads what they committed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from msgspec import Struct

from streams.cli.cluster_topics import create_topics
from streams.cli.outcome_counts import added_up
from streams.dunning.commands import AccountCommand, DecisionRecord, NotificationCommand
from streams.dunning.events import CustomerEvent, Tick
from streams.dunning.measures import Counts
from streams.messages.codec import Decoder, Encoder
from streams.messages.headers import event_headers
from streams.messages.history import Arrival
from streams.messages.topics import DEAD_LETTERS, INPUTS, OUTPUTS, TICKS, topic_of

Output = NotificationCommand | AccountCommand | DecisionRecord

_WORKER = "from streams.cli.main import main; main()"


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


class Worker:
    """One `dunning worker`, or another command that runs until it is stopped."""

    def __init__(self, environment: dict[str, str], log: Path, command: Sequence[str] = ("worker",)) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _WORKER, *command],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.wait()

    def wait(self, seconds: float = 30.0) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the worker did not end:\n{self.log.read_text()}") from None


class Place(Struct, frozen=True):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


class Deployment:
    """One test's topics and workers."""

    def __init__(self, servers: str, prefix: str, directory: Path, *, partitions: int = 4) -> None:
        self.servers = servers
        self.prefix = prefix
        self.directory = directory
        self.partitions = partitions
        self.application_id = f"{prefix}dunning"
        self.workers: list[Worker] = []
        self.encoder = Encoder()
        self.decoder = Decoder()
        self._producer = Producer(
            {"bootstrap.servers": servers, "partitioner": "murmur2_random", "linger.ms": 2}
        )
        create_topics(
            AdminClient({"bootstrap.servers": servers}),
            prefix=prefix,
            virtual_time=True,
            partitions=partitions,
            replication=1,
        )

    def start(self, instance: str = "0", **settings: Any) -> Worker:
        """Start a worker that waits for ticks from outside."""
        return self.run(("worker",), instance, **settings)

    def run(self, command: Sequence[str], instance: str, **settings: Any) -> Worker:
        """Start a command that runs until it is stopped, with a worker's settings."""
        given = {
            "bootstrap_servers": self.servers,
            "application_id": self.application_id,
            "topic_prefix": self.prefix,
            "instance_id": instance,
            "ticks": "external",
            "data_directory": self.directory / f"state-{instance}",
            "session_timeout_seconds": 6,
            "metrics_port": "none",
            **settings,
        }
        log = self.directory / f"worker-{len(self.workers)}.log"
        worker = Worker(_environment(given), log, command)
        self.workers.append(worker)
        return worker

    def command(self, *arguments: str) -> str:
        """What a `dunning` command of this deployment prints."""
        given = {"bootstrap_servers": self.servers, "application_id": self.application_id}
        done = subprocess.run(
            [sys.executable, "-c", _WORKER, *arguments],
            env=_environment(given),
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()

    def send(self, arrival: Arrival) -> None:
        """Publish an event with its arrival as the record's timestamp."""
        event = arrival.event
        self.send_raw(
            topic_of(event).name,
            event.customer_id.encode(),
            self.encoder.encode(event),
            timestamp=int(arrival.arrived_at.timestamp() * 1000),
            headers=event_headers(event),
        )

    def send_raw(self, topic: str, key: bytes | None, value: bytes | None, **options: Any) -> None:
        self._producer.produce(self.prefix + topic, value, key, **options)
        self._producer.poll(0)

    def tick(self, tick: Tick) -> None:
        """One tick to every partition."""
        value = self.encoder.encode(tick)
        timestamp = int(tick.now.timestamp() * 1000)
        for partition in range(self.partitions):
            self.send_raw(TICKS.name, None, value, partition=partition, timestamp=timestamp)

    def tick_to(self, start: datetime, end: datetime, every: timedelta) -> None:
        """Ticks from start to end, both included, and wait until all is decided."""
        while start <= end:
            self.tick(Tick(start))
            start += every
        self.wait_until_done()

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    def lag(self) -> int:
        """Input records after the group's committed offsets."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": self.application_id})
        asked = [
            TopicPartition(self.prefix + topic.name, number)
            for topic in (*INPUTS, TICKS)
            for number in range(self.partitions)
        ]
        try:
            lag = 0
            for each in consumer.committed(asked, timeout=20):
                end = consumer.get_watermark_offsets(TopicPartition(each.topic, each.partition), timeout=20)[
                    1
                ]
                lag += end - max(0, each.offset)
            return lag
        finally:
            consumer.close()

    def wait_until_done(self, seconds: float = 120.0) -> None:
        """Wait until all inputs are committed, or a worker has died of itself."""
        self.flush()

        def done() -> bool:
            died = [each for each in self.workers if each.process.poll() not in {None, 0, -9}]
            assert not died, died[0].log.read_text()
            try:
                return self.lag() == 0
            except KafkaException:
                # A broker or a topic that is new finds its coordinator and its leaders by and by.
                return False

        wait_for(done, "all inputs are committed", seconds)

    def messages(self, topic: str) -> list[Message]:
        """All committed records of a topic, partition by partition."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": f"{self.prefix}reader",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "enable.auto.commit": False,
            }
        )
        name = topic if topic.endswith("-changelog") else self.prefix + topic
        consumer.assign([TopicPartition(name, number, 0) for number in range(self.partitions)])
        found: list[Message] = []
        ends = 0
        while ends < self.partitions:
            message = consumer.poll(20)
            assert message is not None, f"no end of {topic}"
            error = message.error()
            if error is None:
                found.append(message)
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ends += 1
        consumer.close()
        return found

    def outputs(self) -> list[Output]:
        """All commands and decisions; of each topic and partition in order."""
        return [
            self.decoder.read(topic.name, message.value())
            for topic in OUTPUTS
            for message in self.messages(topic.name)
        ]

    def inputs(self) -> dict[Place, CustomerEvent | Tick | None]:
        """Every input record by its place; None for what cannot be read."""
        found: dict[Place, CustomerEvent | Tick | None] = {}
        for topic in (*INPUTS, TICKS):
            for message in self.messages(topic.name):
                place = Place(self.prefix + topic.name, message.partition() or 0, message.offset() or 0)
                found[place] = self.decoder.read(topic.name, message.value())
        return found

    def outcomes(self) -> Counts:
        """What was counted of outcomes, over all partitions."""
        return added_up(self.messages(f"{self.application_id}-outcomes-changelog"))

    def dead_letters(self) -> list[Message]:
        return self.messages(DEAD_LETTERS.name)


def _environment(settings: dict[str, Any]) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("DUNNING_")},
        **{f"DUNNING_{name.upper()}": str(value) for name, value in settings.items()},
    }


def headers_of(message: Message) -> list[tuple[str, bytes | str | None]]:
    """A record's headers in their order."""
    headers = message.headers() or []
    assert isinstance(headers, list)
    return headers


def publish_in_order(deployment: Deployment, arrivals: Iterable[Arrival]) -> None:
    for arrival in arrivals:
        deployment.send(arrival)
    deployment.flush()
