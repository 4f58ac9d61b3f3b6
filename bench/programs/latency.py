"""Latency from produce to committed output, at a steady rate: the real worker, policy `care`.

One process produces events at an even pace and reads the outputs as a consumer of committed records would.
A record's latency runs from the moment before it is produced to the moment at which its decision is read; the
commands of a decision are committed with it, in the same transaction, so the decision stands for both. Times
are wall-clock times of one process.

The measured time begins when the broker is warm: its compiler works beside the worker for most of a minute
after a start, and until then the highest tenth of the latencies is that compiler's. What the first seconds
bring, as after a broker's restart, is reported on a line of its own.
"""

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Consumer, Producer
from msgspec.structs import replace

from bench.assignment import Assignment
from bench.catalogue import Job, contenders
from bench.cluster import Bench, send
from bench.dunning_work import PREFIX, history
from bench.process import Contestant, wait_for
from bench.program import Program, aim, percentile
from streams.broker import LocalKafka
from streams.dunning.commands import DecisionRecord
from streams.dunning.events import CustomerEvent
from streams.messages.codec import Decoder, Encoder
from streams.messages.headers import event_headers
from streams.messages.topics import TOPICS, topic_config, topic_of

_WANTED_MS = 50.0
_DECISIONS = f"{PREFIX}dunning.decision.v1"


class Flow:
    """Sends events and notes when each was sent and when its decision was read."""

    def __init__(self, bench: Bench, events: Sequence[CustomerEvent]) -> None:
        self._events = events
        self._next = 0
        self._encoder, self._decoder = Encoder(), Decoder()
        self._producer = Producer(
            {"bootstrap.servers": bench.servers, "partitioner": "murmur2_random", "linger.ms": 0}
        )
        self._consumer = Consumer(
            {
                "bootstrap.servers": bench.servers,
                "group.id": "bench-latency",
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 500,
            }
        )
        self._consumer.subscribe([_DECISIONS])
        self.sent: dict[str, float] = {}
        self.read: dict[str, float] = {}
        self._stopping = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, rate: float, seconds: float, label: str) -> None:
        """Send events at an even pace."""
        began = time.perf_counter()
        for number in range(int(rate * seconds)):
            due = began + number / rate
            while (ahead := due - time.perf_counter()) > 0:
                time.sleep(ahead)
            template = self._events[self._next % len(self._events)]
            self._next += 1
            # Each event is new, and of now.
            event_id = f"{label}-{number}"
            event = replace(template, event_id=event_id, occurred_at=datetime.now(UTC))
            self.sent[event_id] = time.perf_counter()
            send(
                self._producer,
                PREFIX + topic_of(event).name,
                self._encoder.encode(event),
                event.customer_id.encode(),
                headers=event_headers(event),
            )
            self._producer.poll(0)
        self._producer.flush()

    def latencies(self, label: str) -> list[float]:
        """Seconds, of all events of that label; waits until all have been read."""
        wanted = [event_id for event_id in self.sent if event_id.startswith(f"{label}-")]
        wait_for(lambda: all(each in self.read for each in wanted), "all decisions are read", 60.0)
        return [self.read[each] - self.sent[each] for each in wanted]

    def close(self) -> None:
        """Read no more."""
        self._stopping.set()
        self._reader.join(5)
        self._consumer.close()

    def _read(self) -> None:
        while not self._stopping.is_set():
            message = self._consumer.poll(0.2)
            if message is None or message.error() is not None:
                continue
            now = time.perf_counter()
            said = self._decoder.read("dunning.decision.v1", message.value())
            if isinstance(said, DecisionRecord) and said.input.event_id is not None:
                self.read[said.input.event_id] = now


def main() -> int:
    """Run it."""
    program = Program("latency", "Latency from produce to committed output", __doc__)
    program.parser.add_argument("--rates", type=float, nargs="+", default=[200.0, 2_000.0])
    program.parser.add_argument("--seconds", type=float, default=30.0)
    program.parser.add_argument(
        "--warm-up-seconds", type=float, default=60.0, help="at the first rate, before the measured time"
    )
    program.parser.add_argument("--store", choices=("memory", "rocksdb"), default="rocksdb")
    given = program.parser.parse_args()
    events = [each.event for each in history(20_000, 1)]
    lines, notes, data = [], [], {}
    with LocalKafka.start() as kafka, tempfile.TemporaryDirectory(prefix="bench-") as directory:
        bench = Bench(kafka.bootstrap_servers, 8)
        bench.create_each({PREFIX + each.name: topic_config(each, virtual_time=False) for each in TOPICS})
        worker = _start(bench, Path(directory), given.store)
        flow = Flow(bench, events)
        try:
            first = given.rates[0]
            runs = [("cold", first, min(10.0, given.warm_up_seconds))]
            runs.append(("warm", first, given.warm_up_seconds - runs[0][2]))
            runs += [(f"r{rate:.0f}", rate, given.seconds) for rate in given.rates]
            for label, rate, seconds in runs:
                if seconds <= 0:
                    continue
                flow.send(rate, seconds, label)
                found = [each * 1_000 for each in flow.latencies(label)]
                if label == "warm":
                    continue
                shares = {share: percentile(found, share) for share in (0.5, 0.95, 0.99)}
                data[label] = {"milliseconds": shares, "events": len(found), "mean": statistics.mean(found)}
                lines.append(
                    (
                        f"{rate:,.0f}/s" + (", after a start" if label == "cold" else ""),
                        f"{len(found):,}",
                        *(f"{each:.1f}" for each in (*shares.values(), max(found))),
                    )
                )
                if label == "r200":
                    notes.append(aim("p99 at 200/s", shares[0.99], _WANTED_MS, "ms", at_most=True))
        finally:
            worker.stop()
            flow.close()
    program.finish(given, ("rate", "events", "p50 ms", "p95 ms", "p99 ms", "highest ms"), lines, notes, data)
    return 0


def _start(bench: Bench, directory: Path, store: str) -> Contestant:
    entry = next(each for each in contenders(Job.DUNNING, []) if each.name == f"ours-{store}")
    assignment = Assignment(
        servers=bench.servers,
        application="latency",
        input=PREFIX,
        output=_DECISIONS,
        partitions=bench.partitions,
        directory=str(directory),
        store=store,
    )
    return Contestant(entry.command(assignment), directory / "worker.log", directory)


if __name__ == "__main__":
    sys.exit(main())
