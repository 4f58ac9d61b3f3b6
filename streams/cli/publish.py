"""`dunning publish`: a history through Kafka, in virtual time."""

from datetime import datetime
from typing import Annotated

import typer

from streams.cli.clients import client_properties, command_encoder, command_settings, connect
from streams.cli.console import note, note_console
from streams.cli.errors import CommandError
from streams.cli.exit_codes import ExitCode
from streams.cli.histories import HistoryArgument, load_history
from streams.cli.parameters import Outages, TickEvery, Until
from streams.cli.progress import virtual_time_progress
from streams.lab.lockstep import PATIENCE_SECONDS
from streams.lab.publish import AFTERWARDS
from streams.lab.publish import publish as run
from streams.lab.ticks import DEFAULT_TICK_INTERVAL
from streams.messages.history import Arrival
from streams.messages.topics import INPUTS, TICKS

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(short_help="Publish a history to Kafka in virtual time, ticks included.")
def publish(
    history: HistoryArgument,
    *,
    until: Until = None,
    tick_every: TickEvery = DEFAULT_TICK_INTERVAL,
    outage: Outages = None,
    patience: Annotated[
        float,
        typer.Option(
            "--patience", min=0.1, metavar="SECONDS", help="Give up if no worker does anything for so long."
        ),
    ] = PATIENCE_SECONDS,
) -> None:
    """Publish a history to Kafka in virtual time, events and ticks, in lockstep with a running worker.

    The worker must run with DUNNING_TICKS=external, and the topics be made with `dunning topics create
    --virtual-time`. Each event carries the time of its arrival, and time does not go on before the worker is
    done with it; so the worker sends exactly what `dunning simulate` prints for the same history, policy and
    options. `dunning tail` shows it.

    Without --until, ticks go on for 90 days after the last event.
    """
    arrivals = load_history(history)
    if not arrivals:
        raise CommandError(f"{history}: there are no events in it", ExitCode.HISTORY)
    settings = command_settings()
    connect(settings)
    end = until or arrivals[-1].arrived_at + AFTERWARDS
    with virtual_time_progress(note_console(), arrivals[0].arrived_at, end) as report:
        run(
            arrivals,
            client=client_properties(settings),
            group=settings.application_id,
            prefix=settings.topic_prefix,
            encoder=command_encoder(settings, (*INPUTS, TICKS)),
            until=end,
            tick_every=tick_every,
            outages=outage or (),
            patience_seconds=patience,
            report=report,
        )
    note(f"published {_count(arrivals, end)} events; the clock stands at {end:%Y-%m-%d %H:%M:%SZ}")


def _count(arrivals: list[Arrival], end: datetime) -> int:
    return sum(arrival.arrived_at <= end for arrival in arrivals)
