"""Runs workers of the counting job as processes, feeds them, and checks what they committed."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

JOB = Path(__file__).with_name("counting_job.py")
ROOT = Path(__file__).parents[2]


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Wait until it holds, or fail saying what did not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


class Worker:
    """One process of the counting job."""

    def __init__(self, arguments: Mapping[str, Any], log: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(JOB), json.dumps(arguments)],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                cwd=log.parent,
            )

    def said(self, pattern: str) -> list[str]:
        """Lines of its output that match."""
        return [line for line in self.log.read_text().splitlines() if re.search(pattern, line)]

    def wait_until_said(self, pattern: str, times: int = 1, seconds: float = 40.0) -> None:
        wait_for(
            lambda: len(self.said(pattern)) >= times or self.process.poll() is not None, pattern, seconds
        )
        assert len(self.said(pattern)) >= times, f"ended with {self.process.poll()}:\n{self.log.read_text()}"

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

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
            raise AssertionError(
                f"the worker did not end within {seconds} s:\n{self.log.read_text()}"
            ) from None


class Cluster:
    """One test's topics, and the workers that it started."""

    def __init__(
        self,
        servers: str,
        prefix: str,
        directory: Path,
        create_topics: Callable[..., None],
        *,
        partitions: int = 4,
        inputs: Iterable[str] = ("a", "b"),
    ) -> None:
        self.servers = servers
        self.prefix = prefix
        self.directory = directory
        self.partitions = partitions
        self.inputs = list(inputs)
        self.workers: list[Worker] = []
        self.group = f"{prefix}app"
        names = [*self.inputs, "tick", "out", "dead"]
        create_topics([prefix + name for name in names], partitions=partitions)
        self._admin = AdminClient({"bootstrap.servers": servers})
        self._producer = Producer(
            {"bootstrap.servers": servers, "partitioner": "murmur2_random", "linger.ms": 5}
        )

    def start(self, instance: str = "0", **settings: Any) -> Worker:
        """Start a worker; no ticks of its own unless asked for."""
        arguments = {
            "prefix": self.prefix,
            "inputs": self.inputs,
            "application_id": self.group,
            "bootstrap_servers": self.servers,
            "instance_id": instance,
            "data_directory": str(self.directory / f"data-{instance}"),
            "session_timeout_seconds": 6,
            "tick_topic": f"{self.prefix}tick",
            "tick_interval_seconds": None,
            **settings,
        }
        log = self.directory / f"worker-{len(self.workers)}.log"
        worker = Worker(arguments, log)
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()

    def send(self, name: str, key: str, value: str = "0", **options: Any) -> None:
        self._producer.produce(self.prefix + name, value, key, **options)
        self._producer.poll(0)

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    def tick(self, now: int) -> None:
        """One tick to every partition."""
        self.flush()
        for partition in range(self.partitions):
            self._producer.produce(f"{self.prefix}tick", str(now), partition=partition)
        self.flush()

    def read(self, name: str, *, isolation: str = "read_committed") -> list[Message]:
        """All records of a topic, partition by partition."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": f"{self.prefix}reader",
                "auto.offset.reset": "earliest",
                "isolation.level": isolation,
                "enable.partition.eof": True,
            }
        )
        consumer.assign([TopicPartition(self.prefix + name, number, 0) for number in range(self.partitions)])
        found: list[Message] = []
        ends = 0
        while ends < self.partitions:
            message = consumer.poll(20)
            assert message is not None, f"no end of {name}"
            error = message.error()
            if error is None:
                found.append(message)
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ends += 1
        consumer.close()
        return found

    def committed(self) -> dict[tuple[str, int], int]:
        """The group's offsets by input and partition."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": self.group})
        asked = [
            TopicPartition(self.prefix + name, number)
            for name in self.inputs
            for number in range(self.partitions)
        ]
        deadline = time.monotonic() + 20
        answers: list[TopicPartition] = []
        while not answers:
            try:
                answers = consumer.committed(asked, timeout=20)
            except KafkaException:  # a fresh broker makes its first group's coordinator only now
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        consumer.close()
        return {
            (answer.topic.removeprefix(self.prefix), answer.partition): max(0, answer.offset)
            for answer in answers
        }

    def lag(self) -> int:
        """Input records after the committed offsets."""
        committed = self.committed()
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(self.prefix + name, number): latest for name, number in committed}
        while True:
            try:
                ends = [int(future.result(20).offset) for future in self._admin.list_offsets(asked).values()]
            except KafkaException:  # right after its creation a topic has no leader
                time.sleep(0.1)
            else:
                return sum(ends) - sum(committed.values())

    def wait_until_done(self, seconds: float = 60.0) -> None:
        """Wait until every input record is committed."""
        self.flush()
        wait_for(lambda: self.lag() == 0, "all input records are committed", seconds)

    def verify(self) -> int:
        """Compare the committed output with the inputs and the committed offsets; returns how many records.

        Per key the counts must run 1..n without a gap or a repetition; every input record up to its committed
        offset must be named once, and none beyond; and there are as many of a key as its inputs have.
        """
        committed = self.committed()
        expected: Counter[str] = Counter()
        places: set[str] = set()
        for name in self.inputs:
            for message in self.read(name):
                partition, offset = message.partition() or 0, message.offset() or 0
                if offset < committed[name, partition] and not (message.value() or b"").startswith(b"poison"):
                    expected[(message.key() or b"").decode()] += 1
                    places.add(f"{self.prefix}{name}/{partition}/{offset}")
        counts: dict[str, list[int]] = defaultdict(list)
        seen: list[str] = []
        for message in self.read("out"):
            said = json.loads(message.value() or b"")
            if "from" in said:
                counts[said["key"]].append(said["count"])
                seen.append(said["from"])
        repeated = [place for place, times in Counter(seen).items() if times > 1]
        assert not repeated, f"{len(repeated)} records were processed twice, such as {repeated[:3]}"
        assert set(seen) == places, (
            f"missing {sorted(places - set(seen))[:3]}, not committed {sorted(set(seen) - places)[:3]}"
        )
        for key, number in expected.items():
            assert counts[key] == list(range(1, number + 1)), f"{key}: {number} records, counts {counts[key]}"
        assert len(seen) == len(places)
        return len(seen)


def feed(cluster: Cluster, records: int, chance: random.Random, keys: int = 200) -> None:
    """Random records over the inputs."""
    for _ in range(records):
        cluster.send(chance.choice(cluster.inputs), f"k{chance.randrange(keys)}")
    cluster.flush()
