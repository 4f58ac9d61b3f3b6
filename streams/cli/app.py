"""The `dunning` command as a whole: everything that a person does with the engine, from one place."""

from importlib import import_module
from importlib.metadata import version as installed_version
from typing import Annotated, Any

import typer
from typer.main import get_command

from streams.cli.console import print_line
from streams.cli.errors import ExplainingGroup
from streams.cli.exit_codes import MEANINGS

COMMANDS: dict[str, str] = {
    "simulate": "streams.cli.simulate",
    "policy": "streams.cli.policy",
    "demo": "streams.cli.demo",
    "kafka": "streams.cli.kafka",
    "topics": "streams.cli.topics",
    "schemas": "streams.cli.schemas",
    "access": "streams.cli.access",
    "worker": "streams.cli.worker",
    "rekey": "streams.cli.rekey",
    "publish": "streams.cli.publish",
    "tail": "streams.cli.tail",
    "dlq": "streams.cli.dlq",
    "report": "streams.cli.report",
    "experiments": "streams.cli.experiments",
    "explain": "streams.cli.explain",
    "offers": "streams.cli.offers",
    "forget": "streams.cli.forget",
    "settings": "streams.cli.settings",
}
"""Each command and the module whose `app` it is, in the order of the help."""

# The line with the backspace keeps the help from joining the lines.
_EXIT_CODES = "\b\nExit codes:\n" + "\n".join(f"{code:>5}  {meaning}" for code, meaning in MEANINGS.items())


class Commands(ExplainingGroup):
    """Imports a command when it is used: `simulate` need not wait for Kafka's and Faust's modules."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Typer's signature
        """All commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - Typer's signature
        """The command of that name; None if there is none."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = get_command(import_module(module).app)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="dunning",
    cls=Commands,
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print_line(f"dunning {installed_version('dunning-streams')}")
        raise typer.Exit


@app.callback()
def dunning(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Ask customers, kindly and in time, to fix a payment: an exactly-once dunning engine.

    Data goes to standard output, everything else to standard error. Settings are the DUNNING_* variables of
    the environment; `dunning settings` shows them.
    """
