"""`dunning experiments`: what has come of each arm, and whether to trust that."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
import typer

from streams.cli.clients import command_settings, connect
from streams.cli.console import Format, Output, note, print_json, print_line
from streams.cli.deployment_state import policy_in_force
from streams.cli.errors import CommandError
from streams.cli.histories import load_history
from streams.cli.outcome_counts import read_outcomes
from streams.cli.parameters import TickEvery, Until
from streams.dunning.measures import About, Counts
from streams.lab.simulate import simulate
from streams.lab.ticks import DEFAULT_TICK_INTERVAL
from streams.policy import LoadedPolicy, load

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(short_help="Compare the arms of experiments, with intervals and whether the sample suffices.")
def experiments(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[EXPERIMENT]...", help="Which; without one, all.")
    ] = None,
    *,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            "-p",
            metavar="NAME|FILE",
            help="Has the experiments; without it, the policy that decides about new cases.",
        ),
    ] = None,
    history: Annotated[
        str | None,
        typer.Option(
            "--history",
            metavar="HISTORY.jsonl",
            help="Simulate this history by --policy instead, without Kafka; `-` reads standard input.",
        ),
    ] = None,
    until: Until = None,
    tick_every: TickEvery = DEFAULT_TICK_INTERVAL,
    output: Output = Format.TABLE,
) -> None:
    """Compare the arms of experiments by what has come of them so far.

    A customer counts once, for the arm that they were dealt to, with the first case or plan since then. Rates
    of paid, renewed, cancelled and replaced are of customers exposed; those of messages are of contacts sent.
    A difference to the control comes with Newcombe's interval, which with several arms is wide enough for all
    of them to hold together.

    Decide once the sample suffices, and not when an interval first leaves out zero: whoever looks every day
    will see that by chance. If customers are not split as the weights say, a warning goes to standard error,
    and the rest means nothing.
    """
    try:
        from streams.cli.experiment_tables import print_report  # noqa: PLC0415 - it imports SciPy
        from streams.lab.experiments import report  # noqa: PLC0415 - the same
    except ImportError as error:
        raise CommandError(
            "statistics are not installed: pip install 'dunning-streams[statistics]'"
        ) from error
    loaded, counts = _counted(policy) if history is None else _simulated(history, policy, until, tick_every)
    known = {each.name: each for each in loaded.policy.experiments}
    if not known:
        raise CommandError(f"policy {loaded.policy.name}, version {loaded.version}, has no experiments")
    if unknown := [name for name in names or () if name not in known]:
        raise CommandError(f"there is no experiment {', '.join(unknown)}; known: {', '.join(known)}")
    if any(group.about == About.OTHER for group in counts):
        note("warning: there are more groups of outcomes than are kept apart; some are counted for no arm")
    reports = [report(known[name], counts) for name in names or known]
    if output is Format.JSON:
        print_json(reports)
    for each in reports:
        if output is Format.JSONL:
            print_line(msgspec.json.encode(each).decode())
        elif output is Format.TABLE:
            print_report(each)
        if each.split_is_broken:
            note(
                f"warning: {each.experiment}: customers are not split as the weights say (p = "
                f"{each.split_p_value:.1g}). Do not believe the rest before you know why: were the weights, "
                "the salt or an arm changed while it ran?"
            )


def _counted(policy: str | None) -> tuple[LoadedPolicy, Counts]:
    settings = command_settings()
    connect(settings)
    counts = read_outcomes(settings)
    return policy_in_force(settings) if policy is None else load(policy), counts


def _simulated(
    history: str, policy: str | None, until: datetime | None, tick_every: timedelta
) -> tuple[LoadedPolicy, Counts]:
    if policy is None:
        raise CommandError("name the policy that has the experiments: --policy")
    loaded, counts = load(policy), Counts()
    for _ in simulate(load_history(history), loaded, until, tick_every, counts=counts):
        pass
    return loaded, counts
