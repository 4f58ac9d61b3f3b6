"""What a tick costs with many customers pending: none due, and some thousand due.

The worker's own parts without Kafka: the desk, its tables, their stores and agenda. All customers lie in one
partition, which is harder than eight partitions with an eighth each. Measured is from the tick in hand to the
changes encoded for the changelog; what is due includes decisions, messages and their encoding, and so is
nearly all `decide`. What the engine has in it, finding out who is due, stands beside it.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from bench.changelog import key_of
from bench.dunning_work import PREFIX, history
from bench.program import Program, aim
from streams.agents.desk import Desk, due_micros
from streams.agents.policies import Policies
from streams.agents.rejects import Rejects
from streams.dunning.events import Tick
from streams.dunning.state import CustomerState
from streams.dunning.state_bytes import encode_state
from streams.engine import Batch, EngineSettings, Record, create_app
from streams.engine.codec import seal
from streams.engine.settings import StoreKind
from streams.engine.tables import take_in_hand
from streams.messages.codec import Decoder, Encoder
from streams.messages.dead_letters import DeadLetterLimit
from streams.messages.instants import to_micros
from streams.messages.topics import TICKS
from streams.ops.metrics import Metrics
from streams.policy import LoadedPolicy, load

_CHUNK = 10_000
_EMPTY_TICKS = 1_000
_FULL_TICKS = 3
_WANTED_MS = 1.0
_HISTORY = 20_000


class Pending:
    """States as they are in a running deployment, by what they wait for.

    Attributes:
        now: about half of the states are due by then.
        due: states that are due.
        waiting: states that are not.
        first: the first moment at which one is due.
    """

    def __init__(self, policy: LoadedPolicy) -> None:
        states: dict[str, CustomerState] = {}
        for at, event in history(_HISTORY, 1):
            states[event.customer_id] = policy.decide(states.get(event.customer_id), event, at).state
        pending = [(each.next_due, each) for each in states.values() if each.next_due is not None]
        pending.sort(key=lambda entry: entry[0])
        half = len(pending) // 2
        self.due = [state for _, state in pending[:half]]
        self.waiting = [state for _, state in pending[half:]]
        self.first: datetime = pending[0][0]
        self.now: datetime = pending[half][0] - timedelta(microseconds=1)


class Worker:
    """A desk over one partition, without Kafka."""

    def __init__(self, store: StoreKind, directory: Path, policy: LoadedPolicy) -> None:
        app = create_app(
            EngineSettings(
                application_id="ticks", bootstrap_servers="127.0.0.1:1", store=store, data_directory=directory
            )
        )
        rejects = Rejects("dead", DeadLetterLimit(window=200, highest_share=0.5, minimum=100))
        self._encoder = Encoder()
        metrics = Metrics(version="bench")
        self._desk = Desk(
            app,
            Policies(app, policy, (), metrics),
            prefix=PREFIX,
            decoder=Decoder(),
            encoder=self._encoder,
            rejects=rejects,
            metrics=metrics,
        )
        self._tables = app.engine.tables
        self._customers = self._tables.open(0)["customers"]
        self._offset = 0
        take_in_hand(self._tables.open(0))

    def fill(self, pending: Pending, customers: int, due: int) -> None:
        """Write so many customers straight into the store, as a restore does; so many of them are due."""
        later = pending.now + timedelta(days=1)
        for first in range(0, customers, _CHUNK):
            keys, envelopes = [], []
            for number in range(first, min(first + _CHUNK, customers)):
                templates: Sequence[CustomerState] = pending.due if number < due else pending.waiting
                template = templates[number % len(templates)]
                state = replace(
                    template,
                    customer_id=key_of(number).decode(),
                    next_due=template.next_due if number < due else later + timedelta(seconds=number),
                )
                keys.append(key_of(number))
                envelopes.append(seal(encode_state(state), due_micros(state)))
            self._customers.store.load(keys, envelopes, first + len(keys))
        self._customers.store.settle()

    def agenda(self, now: datetime) -> float:
        """How long the agenda alone takes to say who is due."""
        began = time.perf_counter()
        self._customers.due(to_micros(now), None)
        took = time.perf_counter() - began
        self._tables.forget({0})
        return took

    def tick(self, now: datetime) -> tuple[float, int]:
        """One tick; how long it took, and how many records go out."""
        batch = self._batch(now)
        began = time.perf_counter()
        with self._desk.sitting(batch) as sitting:
            for record in batch:
                sitting.advance(record)
        self._tables.changes({0})
        took = time.perf_counter() - began
        self._tables.forget({0})
        return took, len(batch.outputs)

    def begin(self, now: datetime) -> None:
        """A first tick, committed: it enters the policy into the partition, which happens once."""
        batch = self._batch(now)
        with self._desk.sitting(batch) as sitting:
            for record in batch:
                sitting.advance(record)
        self._offset += 1
        positions = {write.changelog: self._offset for write in self._tables.changes({0})}
        self._tables.take_off({0})
        self._tables.land(positions, {0})

    def close(self) -> None:
        """Close the stores."""
        self._tables.close_all()

    def _batch(self, now: datetime) -> Batch:
        value = self._encoder.encode(Tick(now=now))
        self._offset += 1
        return Batch(0, [Record(PREFIX + TICKS.name, 0, self._offset, to_micros(now) // 1_000, None, value)])


def main() -> int:
    """Run it."""
    program = Program("tick_cost", "A tick with many customers pending", __doc__)
    program.parser.add_argument("--customers", type=int, default=1_000_000)
    program.parser.add_argument("--due", type=int, default=10_000)
    program.parser.add_argument(
        "--stores", nargs="+", choices=("memory", "rocksdb"), default=["memory", "rocksdb"]
    )
    given = program.parser.parse_args()
    policy = load("care")
    pending = Pending(policy)
    lines: list[tuple[str, ...]] = []
    notes: list[str] = []
    data: dict[str, dict[str, float | str]] = {}
    for store in given.stores:
        for due in (0, given.due):
            with tempfile.TemporaryDirectory(prefix="bench-") as directory:
                worker = Worker(store, Path(directory), policy)
                worker.fill(pending, given.customers, due)
                worker.begin(pending.first - timedelta(days=1))
                ticks = _FULL_TICKS if due else _EMPTY_TICKS
                agenda = min(worker.agenda(pending.now) for _ in range(_FULL_TICKS)) * 1_000
                took = [worker.tick(pending.now + timedelta(milliseconds=each)) for each in range(ticks)]
                worker.close()
            median = statistics.median(seconds for seconds, _ in took) * 1_000
            highest = max(seconds for seconds, _ in took) * 1_000
            data[f"{store}-{due}"] = {
                "store": store,
                "pending": given.customers,
                "due": due,
                "median_ms": median,
                "highest_ms": highest,
                "agenda_ms": agenda,
            }
            lines.append(
                (
                    store,
                    f"{given.customers:,}",
                    f"{due:,}",
                    f"{median:,.3f}",
                    f"{highest:,.3f}",
                    f"{agenda:,.3f}",
                    f"{took[0][1]:,}",
                    f"{due / median * 1_000:,.0f}" if due else "-",
                )
            )
            if not due:
                notes.append(aim(f"tick with none due, {store}", median, _WANTED_MS, "ms", at_most=True))
    headings = ("store", "pending", "due", "median ms", "highest ms", "agenda ms", "outputs", "customers/s")
    program.finish(given, headings, lines, notes, data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
