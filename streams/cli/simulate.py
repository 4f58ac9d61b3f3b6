"""`dunning simulate`: a history through the pure domain, in virtual time."""

from typing import Annotated

import typer

from streams.cli.console import Format, Output
from streams.cli.histories import HistoryArgument, load_history
from streams.cli.outputs import print_outputs
from streams.cli.parameters import Outages, Publication, TickEvery, Until, parse_publication
from streams.lab.simulate import simulate as run
from streams.lab.ticks import DEFAULT_TICK_INTERVAL
from streams.policy import load

app = typer.Typer(add_completion=False, rich_markup_mode=None)

PolicyOption = Annotated[
    str,
    typer.Option(
        "--policy",
        "-p",
        metavar="NAME|FILE",
        help="A shipped policy's name, or a policy's file or directory.",
    ),
]

Publications = Annotated[
    list[Publication] | None,
    typer.Option(
        "--publish",
        parser=parse_publication,
        metavar="TIME=FILE",
        help="Publish another policy then: `2026-03-01=gentle.yaml`. May be repeated.",
    ),
]


@app.command(short_help="Run a history through a policy in virtual time.")
def simulate(
    history: HistoryArgument,
    *,
    policy: PolicyOption = "care",
    until: Until = None,
    tick_every: TickEvery = DEFAULT_TICK_INTERVAL,
    outage: Outages = None,
    publish: Publications = None,
    output: Output = Format.JSONL,
) -> None:
    """Run a history through a policy in virtual time: no Kafka, no waiting.

    Prints the notification commands, account commands and decisions in order: for each input its commands,
    then the decision that explains them. The same history published to a worker that runs the same policy
    (`dunning publish`) leads to the same ones.

    With --publish another policy is published on the way: new cases go by it, open ones by theirs.

    Without --until it goes on until nothing is due any more.
    """
    loaded = load(policy)
    arrivals = load_history(history)
    outputs = run(
        arrivals,
        loaded,
        until=until,
        tick_every=tick_every,
        outages=outage or (),
        publications=[(each.at, load(each.policy)) for each in publish or ()],
    )
    print_outputs(outputs, output)
