"""`dunning settings`: the settings in force."""

import typer

from streams.cli.clients import command_settings
from streams.cli.console import Format, Output, print_json, print_rows

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(short_help="Print the settings in force; secrets are masked.")
def settings(output: Output = Format.TABLE) -> None:
    """Print the settings in force, those of the environment and the defaults; secrets are masked.

    If a DUNNING_* variable is wrong or unknown, all that are so are named, and the exit code is 5.
    """
    shown = command_settings().printable()
    if output is Format.JSON:
        print_json(shown)
    else:
        print_rows([{"setting": name, "value": value} for name, value in shown.items()], output)
