"""`dunning rekey`: a topic as an upstream has it, brought to the input that it is."""

from typing import Annotated

import typer

from streams.app import rekey as run
from streams.cli.clients import command_settings
from streams.cli.errors import CommandError
from streams.cli.exit_codes import ExitCode
from streams.cli.worker import run_until_stopped

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(short_help="Bring a topic with another key, number of partitions or format to an input.")
def rekey(
    topic: Annotated[
        str | None,
        typer.Argument(help="One of DUNNING_REKEY, by its name on the cluster.", show_default="the only one"),
    ] = None,
) -> None:
    """Bring the records of a topic to the input that it is, exactly once, until SIGTERM or Ctrl-C.

    For an upstream whose topic is not keyed by `customer_id`, has another number of partitions, or holds JSON
    (with DUNNING_INPUT_FORMAT=json). DUNNING_REKEY says which input it is:
    `their.payments=billing.payment-failed.v1`. As many may run for one topic as it has partitions, each with
    its own DUNNING_INSTANCE_ID; their consumer group is DUNNING_APPLICATION_ID, `-rekey-` and the topic.

    Records keep their timestamps and headers. A bad one goes to the dead letters, and so does one without a
    value, since nothing says whose it is. Exit codes are those of `dunning worker`.
    """
    settings = command_settings()
    known = settings.rekeyed
    if topic is None and len(known) == 1:
        (topic,) = known
    if topic not in known:
        raise CommandError(
            "DUNNING_REKEY says nothing of it"
            if topic
            else f"which topic? DUNNING_REKEY names {', '.join(known) or 'none'}",
            ExitCode.SETTINGS,
        )
    run_until_stopped(settings, lambda: run(settings, topic))
