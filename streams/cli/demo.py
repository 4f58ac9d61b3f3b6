"""`dunning demo`: ninety days of a synthetic biller, through a real worker, in about a minute."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from msgspec.structs import replace
from rich.console import Console

from streams.cli.clients import client_properties, command_settings
from streams.cli.console import data_console
from streams.cli.errors import CommandError
from streams.cli.feed import feed
from streams.cli.outcome_counts import read_outcomes
from streams.cli.outputs import moment
from streams.cli.progress import virtual_time_progress
from streams.cli.stage import Worker, broker, topics
from streams.cli.summary import print_ladder, print_story, print_summary
from streams.dunning.commands import DecisionRecord
from streams.dunning.measures import Counts
from streams.lab.biller import SyntheticBiller
from streams.lab.lockstep import Lockstep
from streams.lab.outcome_page import outcome_page
from streams.lab.outcome_report import outcome_report
from streams.lab.outputs import OutputReader
from streams.lab.simulate import Output, simulate
from streams.lab.tally import Tally
from streams.lab.ticks import TickGrid
from streams.lab.worlds import KafkaWorld, play
from streams.messages.codec import Encoder
from streams.messages.history import Arrival, to_json_line
from streams.messages.topics import DEAD_LETTERS, DEFAULT_PARTITIONS, OUTPUTS
from streams.policy import load
from streams.settings import Settings

app = typer.Typer(add_completion=False, rich_markup_mode=None)

START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday from which 90 days reach over the beginning of daylight saving time in America and Europe."""

TICK_EVERY = timedelta(hours=1)
STRETCH = timedelta(hours=6)
"""Biller and notification services publish four batches a day, and react to what was sent in between."""

SPREAD = timedelta(minutes=50)
"""A batch arrives before the stretch's first tick, so that one wait does for it."""

DIRECTORY = Path("var/demo")
"""Where the worker's log lies, and with `--keep` the local Kafka's data."""

# The end of the outputs is waited for after each stretch, so the broker should not hold a request for long.
_FETCH_WAIT_SECONDS = 0.01
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@app.command(short_help="Play 90 days of a synthetic biller through a real worker.")
def demo(
    *,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Virtual days.")] = 90,
    customers: Annotated[int, typer.Option("--customers", min=1, max=100_000, help="Of the biller.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Another seed is another company.")] = 1,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Leave the topics (and a local Kafka) there, to look at afterwards."),
    ] = False,
) -> None:
    """Play days of a synthetic biller through a real worker, in virtual time.

    Uses the Kafka of DUNNING_BOOTSTRAP_SERVERS if that is set, with topics of its own that it deletes at the
    end; else it starts a local one. Shows what is sent to whom and why as it happens, then a summary and one
    customer's story; and compares all that the worker sent with what the pure simulator makes of the same
    events. A worker that is killed meanwhile is started again, and that comparison still has to hold.
    """
    given = command_settings()
    policy = load(given.policy)
    console = data_console()
    name = f"demo-{time.strftime('%Y%m%d-%H%M%S')}"

    def say(text: str) -> None:
        console.print(text, style="bold", markup=False, soft_wrap=True)

    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with _interruptible(say), broker(given, DIRECTORY / "kafka", keep=keep, say=say) as stage:
        settings = stage.settings.model_copy(
            update={
                "application_id": name,
                "topic_prefix": f"{name}.",
                "ticks": "external",
                "data_directory": DIRECTORY / "state",
                "metrics_port": 0,
                # Topics of its own names have no schemas in a registry.
                "schema_registry_url": None,
                "schema_registry_username": None,
                "schema_registry_password": None,
            }
        )
        with topics(settings, keep=keep or stage.temporary):
            worker = Worker(settings, DIRECTORY / "worker.log", say)
            with worker.running():
                say(f"worker {worker.pid} starts, policy {settings.policy}, log {worker.log_path}")
                played = _play(settings, worker, console, days=days, customers=customers, seed=seed)
            counted = read_outcomes(settings)
            print_summary(console, played.tally)
            print_ladder(console, counted)
            if (story := played.tally.story()) is not None:
                print_story(console, *story)
            console.print()
            end = START + timedelta(days=days)
            if played.dead_letters:
                say(f"{played.dead_letters} records went to the dead letters")
            counts: Counts = {}
            simulated = simulate(played.history, policy, until=end, tick_every=TICK_EVERY, counts=counts)
            _compare(played.outputs, simulated, say)
            if counted != counts:
                raise CommandError("what the worker counted of outcomes is not what the simulator counts")
            _write_report(counted, customers, days, say)
        if keep:
            say(
                f"kept: DUNNING_BOOTSTRAP_SERVERS={settings.bootstrap_servers} "
                f"DUNNING_TOPIC_PREFIX={settings.topic_prefix} dunning tail commands --from-beginning"
            )
            say(
                f"or: DUNNING_BOOTSTRAP_SERVERS={settings.bootstrap_servers} "
                f"DUNNING_APPLICATION_ID={settings.application_id} dunning report --by segment,channel"
            )


class _Played(NamedTuple):
    """What went in, what came out, both counted, and how many records were put aside."""

    history: list[Arrival]
    outputs: list[Output]
    tally: Tally
    dead_letters: int


def _play(
    settings: Settings, worker: Worker, console: Console, *, days: int, customers: int, seed: int
) -> _Played:
    client = client_properties(settings)
    end = START + timedelta(days=days)
    biller = SyntheticBiller(seed=seed, customers=customers, start=START, spread=SPREAD)
    history: list[Arrival] = []
    outputs: list[Output] = []
    tally = Tally()
    with (
        Lockstep(
            client=client,
            group=settings.application_id,
            prefix=settings.topic_prefix,
            encoder=Encoder(),
            grid=TickGrid(TICK_EVERY),
            partitions=DEFAULT_PARTITIONS,
            start=START,
            watch=worker.watch,
        ) as lockstep,
        OutputReader(
            client,
            [settings.topic(topic.name) for topic in OUTPUTS],
            from_beginning=True,
            fetch_wait_seconds=_FETCH_WAIT_SECONDS,
        ) as reader,
        virtual_time_progress(console, START, end) as report,
    ):
        lockstep.begin()
        world = KafkaWorld(lockstep, reader, settings.topic_prefix)
        for stretch in play(biller, world, START, end, STRETCH):
            for arrival in stretch.arrivals:
                tally.add_arrival(arrival)
            for output in stretch.outputs:
                tally.add_output(output)
            history.extend(stretch.arrivals)
            outputs.extend(stretch.outputs)
            for line in feed(stretch.outputs):
                console.print(line, no_wrap=True, overflow="ellipsis")
            report(stretch.until)
    with OutputReader(client, [settings.topic(DEAD_LETTERS.name)], from_beginning=True) as reader:
        return _Played(history, outputs, tally, len(reader.read_to_end()))


def _compare(committed: Iterable[Output], simulated: Iterable[Output], say: Callable[[str], None]) -> None:
    """Say whether the worker sent what the simulator says, each thing once.

    Raises:
        CommandError: It did not.
    """
    found, expected = Counter(map(_without_place, committed)), Counter(map(_without_place, simulated))
    if found == expected:
        say(
            f"exactly once: all {found.total()} commands and decisions are those of the pure simulator, "
            "none is missing, none came twice"
        )
        return
    counts = {}
    for name, lines in (("missing", expected - found), ("surplus", found - expected)):
        (DIRECTORY / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines.elements()))
        counts[name] = lines.total()
    raise CommandError(
        f"the worker's commands and decisions are not the simulator's: {counts['missing']} are missing, and "
        f"{counts['surplus']} should not be there; see missing.jsonl and surplus.jsonl in {DIRECTORY}"
    )


def _write_report(counts: Counts, customers: int, days: int, say: Callable[[str], None]) -> None:
    """Leave the report on the outcomes as a page."""
    path = DIRECTORY / "report.html"
    source = f"{customers} customers of a synthetic biller in {days} days"
    page = outcome_page(
        counts, outcome_report(counts, ("about", "step")), source=source, made=moment(datetime.now(UTC))
    )
    path.write_text(page, encoding="utf-8")
    say(f"the outcomes with plots: {path}; `dunning report --html FILE` makes such a page of any deployment")


def _without_place(output: Output) -> str:
    """The output as a line, without where its input lay in Kafka."""
    if isinstance(output, DecisionRecord):
        output = replace(output, input=replace(output.input, topic=None, partition=None, offset=None))
    return to_json_line(output)


@contextmanager
def _interruptible(say: Callable[[str], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the demo in order; another one meanwhile does not disturb that."""

    def interrupt(_number: int, _frame: object) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        say("stopping ...")
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
