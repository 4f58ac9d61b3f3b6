"""The `dunning` command as a whole: everything that a person does with the engine, from one place."""

import typer

from streams.cli import policy, simulate
from streams.cli.errors import ExplainingGroup
from streams.cli.exit_codes import MEANINGS

_HELP = """Ask customers, kindly and in time, to fix a payment: an exactly-once dunning engine.

Data goes to standard output, everything else to standard error. Settings are the DUNNING_* variables of
the environment; `dunning settings` shows them.
"""

# The line with the backspace keeps the help from joining the lines.
_EXIT_CODES = "\b\nExit codes:\n" + "\n".join(f"{code:>5}  {meaning}" for code, meaning in MEANINGS.items())

app = typer.Typer(
    name="dunning",
    cls=ExplainingGroup,
    help=_HELP,
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

app.command("simulate", short_help="Run a history through a policy in virtual time.")(simulate.simulate)
app.add_typer(policy.app, name="policy")
