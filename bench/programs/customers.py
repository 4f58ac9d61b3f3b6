"""The engine job as the number of customers grows: throughput and memory of one worker.

Every customer has a state already: the changelog is filled first and restored, so that the store has its full
size when the clock starts. Then events of customers drawn evenly are processed, which no cache can help much.
10,000,000 customers take long and run with ``--long`` only.
"""

import sys
import tempfile
from pathlib import Path

from bench.assignment import Assignment
from bench.catalogue import Contender, Job, contenders
from bench.changelog import check_room, fill
from bench.cluster import Bench
from bench.contenders.engine_ours import encode_state
from bench.engine_job import NOTHING
from bench.engine_work import EngineWork
from bench.observer import NothingHappenedError, observe
from bench.process import Contestant
from bench.program import Program, aim
from streams.broker import LocalKafka
from streams.engine.codec import seal

_LONG = 10_000_000
_MOST_MEMORY_GIB = 2.0
_PARTITIONS = 8
# A worker that restores 10,000,000 customers is silent for half a minute, on a slow machine for a few.
_PATIENCE_SECONDS = 300.0
_LIMIT_SECONDS = 300.0
_FRESH = seal(encode_state(NOTHING), None)


def main() -> int:
    """Run it."""
    program = Program("customers", "Engine job by the number of customers", __doc__)
    program.parser.add_argument("--customers", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    program.parser.add_argument("--long", action="store_true", help="10,000,000 as well")
    program.parser.add_argument("--records", type=int, default=1_000_000)
    program.parser.add_argument(
        "--stores", nargs="+", choices=("memory", "rocksdb"), default=["rocksdb", "memory"]
    )
    given = program.parser.parse_args()
    sizes = [*given.customers, *([_LONG] if given.long else [])]
    check_room(max(sizes), len(_FRESH))
    lines, notes, data = [], [], {}
    with LocalKafka.start() as kafka:
        bench = Bench(kafka.bootstrap_servers, _PARTITIONS)
        for customers in sizes:
            work = EngineWork(given.records, customers)
            work.prepare(bench)
            for entry in contenders(Job.ENGINE, [f"ours-{store}" for store in given.stores]):
                rate, memory, wrong = _run(bench, work, entry, customers)
                data[f"{entry.store}-{customers}"] = {
                    "store": entry.store,
                    "customers": customers,
                    "records_per_second": rate,
                    "memory_bytes": memory,
                }
                lines.append(
                    (
                        entry.store,
                        f"{customers:,}",
                        f"{rate:,.0f}",
                        f"{memory / 2**20:,.0f}",
                        wrong or "yes",
                    )
                )
                print("  " + ", ".join(lines[-1]), flush=True)
                if customers == _LONG and entry.store == "rocksdb":
                    gibibytes = memory / 2**30
                    notes.append(aim("memory, RocksDB", gibibytes, _MOST_MEMORY_GIB, "GiB", at_most=True))
            bench.delete(work.input)
    program.finish(given, ("store", "customers", "records/s", "MiB", "right"), lines, notes, data)
    return 0


def _run(bench: Bench, work: EngineWork, entry: Contender, customers: int) -> tuple[float, int, str | None]:
    application = f"size-{entry.name}-{customers}"
    changelog = f"{application}-totals-changelog"
    outputs = work.outputs(application)
    bench.create(outputs)
    fill(bench, changelog, customers, lambda _: _FRESH)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        assignment = Assignment(
            servers=bench.servers,
            application=application,
            input=work.input,
            output=outputs[0],
            partitions=bench.partitions,
            directory=name,
            store=entry.store,
        )
        worker = Contestant(entry.command(assignment), directory / "worker.log", directory)
        try:
            timing = observe(
                bench,
                outputs,
                baseline=0,
                is_complete=lambda written: (
                    work.may_be_complete(written) and bench.lag(application, work.inputs) == 0
                ),
                is_alive=lambda: worker.alive,
                patience_seconds=_PATIENCE_SECONDS,
                limit_seconds=_LIMIT_SECONDS,
            )
            memory = worker.memory_bytes or 0
        except NothingHappenedError as error:
            raise RuntimeError(f"{application}: {error}: {worker.last_words()}") from error
        finally:
            worker.stop()
    verdict = work.verify(bench, application, {}, partly=timing.cut_short)
    bench.delete(application)
    return verdict.records * timing.share / timing.seconds, memory, verdict.wrong


if __name__ == "__main__":
    sys.exit(main())
