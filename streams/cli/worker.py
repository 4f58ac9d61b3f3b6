"""`dunning worker`: one worker, until it is told to stop."""

import logging
import sys
from collections.abc import Callable

import typer

from streams.app import work
from streams.cli.clients import WHERE_KAFKA_IS, command_settings
from streams.cli.console import note
from streams.engine import ExitCode, FatalError
from streams.settings import Settings

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(short_help="Run one worker until it is told to stop.")
def worker() -> None:
    """Run one worker with the settings of the environment, until SIGTERM or Ctrl-C.

    It finishes and commits what it has in hand, then leaves; a second signal ends it at once, which loses and
    repeats nothing. Logs go to standard error.

    Beside the common exit codes it ends with the engine's: 70 a defect, 78 settings or topics that cannot
    work, 80 Kafka failed, 81 fenced by another worker, 82 a changelog is missing, 83 stuck, 84 the local
    store failed.
    """
    settings = command_settings()
    run_until_stopped(settings, lambda: work(settings))


def run_until_stopped(settings: Settings, run: Callable[[], int]) -> None:
    """Run what works on Kafka, and end the process with its exit code.

    Args:
        settings: where Kafka is, and how much is logged.
        run: runs until it is told to stop, and gives the exit code.

    Raises:
        typer.Exit: always, with the exit code.
    """
    _log_to_stderr(settings.log_level)
    # Faust wants it to be there, whatever the store.
    settings.data_directory.mkdir(parents=True, exist_ok=True)
    try:
        code = run()
    except FatalError as error:
        note(f"dunning: {error}")
        code = error.exit_code
    if code == ExitCode.BROKER:
        note(
            f"dunning: the Kafka at {settings.bootstrap_servers} failed, or does not answer. {WHERE_KAFKA_IS}"
        )
    raise typer.Exit(code)


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    if level != "DEBUG":
        # Faust reports the start and stop of each of its services ("[^-Consumer]: ..."), agents included.
        handler.addFilter(lambda record: not str(record.msg).startswith("[^"))
    logging.basicConfig(handlers=[handler], level=level)
