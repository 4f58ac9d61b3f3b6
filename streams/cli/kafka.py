"""`dunning kafka`: a local broker in the background, for development."""

from pathlib import Path
from typing import Annotated

import typer

from streams.broker import start_background, status, stop_background
from streams.broker.background import DEFAULT_PORT
from streams.cli.console import note, print_line
from streams.cli.exit_codes import ExitCode

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Run a local Kafka in the background, for development. It listens on 127.0.0.1 only.",
)

Directory = Annotated[
    Path, typer.Option("--directory", metavar="DIRECTORY", help="Where its data, log and pid file lie.")
]
DEFAULT_DIRECTORY = Path("var/kafka")


@app.command()
def start(
    directory: Directory = DEFAULT_DIRECTORY,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = DEFAULT_PORT,
) -> None:
    """Start it, or find it running; prints its address, as DUNNING_BOOTSTRAP_SERVERS takes it."""
    note("starting Kafka; the first time it is downloaded")
    running = start_background(directory, port=port)
    note(f"Kafka runs (pid {running.pid}, data in {running.directory}); `dunning kafka stop` ends it")
    print_line(running.bootstrap_servers)


@app.command()
def stop(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Stop it and keep its data. That none runs is no error."""
    stopped = stop_background(directory)
    note(f"no Kafka runs from {directory}" if stopped is None else f"stopped Kafka (pid {stopped.pid})")


@app.command("status")
def show_status(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Say whether it runs; the exit code is 9 if it does not."""
    found = status(directory)
    print_line(found.message)
    if found.running is None:
        raise typer.Exit(ExitCode.LOCAL_KAFKA)
