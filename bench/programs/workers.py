"""The real worker's throughput, and the engine job's, with one worker and with two.

The workers start together; counting begins when a fifth of the outputs is there, so that the group has
settled by then. Broker, harness and workers share the machine: with fewer than four cores two workers mostly
take each other's and the broker's time.
"""

import os
import sys
import tempfile
from pathlib import Path

import msgspec

from bench.assignment import Assignment
from bench.catalogue import Contender, Job, contenders
from bench.cluster import Bench
from bench.dunning_work import DunningWork
from bench.engine_work import EngineWork
from bench.jobs import Work
from bench.observer import observe
from bench.process import Contestant
from bench.program import Program
from streams.broker import LocalKafka

_PARTITIONS = 8
_PATIENCE_SECONDS = 120.0
_SETTLED = 0.2


def main() -> int:
    """Run it."""
    program = Program("workers", "One worker and more", __doc__)
    program.parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    program.parser.add_argument("--records", type=int, default=1_000_000)
    program.parser.add_argument("--events", type=int, default=200_000)
    program.parser.add_argument("--store", choices=("memory", "rocksdb"), default="rocksdb")
    given = program.parser.parse_args()
    lines, data = [], {}
    with LocalKafka.start() as kafka:
        bench = Bench(kafka.bootstrap_servers, _PARTITIONS)
        works: dict[Job, Work] = {
            Job.ENGINE: EngineWork(given.records, 10_000),
            Job.DUNNING: DunningWork(given.events),
        }
        for job, work in works.items():
            work.prepare(bench)
            entry = contenders(job, [f"ours-{given.store}"])[0]
            for workers in given.workers:
                rate, wrong = _run(bench, work, entry, workers)
                data[f"{job}-{workers}"] = {"job": job, "workers": workers, "records_per_second": rate}
                lines.append((f"{job} job", str(workers), f"{rate:,.0f}", wrong or "yes"))
    notes = [f"{os.cpu_count()} cores for broker, harness and workers"]
    program.finish(given, ("job", "workers", "records/s", "right"), lines, notes, data)
    return 0


def _run(bench: Bench, work: Work, entry: Contender, workers: int) -> tuple[float, str | None]:
    application = f"{entry.job}-with-{workers}"
    outputs = work.outputs(application)
    existing = set(bench.topics(""))
    bench.create([topic for topic in outputs if topic not in existing])
    start = bench.ends(outputs)
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
        running = [
            Contestant(
                entry.command(msgspec.structs.replace(assignment, instance=str(number))),
                directory / f"worker-{number}.log",
                directory,
            )
            for number in range(workers)
        ]
        try:
            timing = observe(
                bench,
                outputs,
                baseline=sum(start.values()),
                is_complete=lambda written: (
                    work.may_be_complete(written) and bench.lag(application, work.inputs) == 0
                ),
                is_alive=lambda: all(each.alive for each in running),
                patience_seconds=_PATIENCE_SECONDS,
                limit_seconds=_PATIENCE_SECONDS * 10,
                begin_at=int(work.records * _SETTLED),
            )
        finally:
            for each in running:
                each.stop()
    verdict = work.verify(bench, application, start, partly=False)
    bench.delete(application)
    return work.records * timing.share / timing.seconds, verdict.wrong


if __name__ == "__main__":
    sys.exit(main())
