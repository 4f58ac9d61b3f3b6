"""`dunning access`: the ACLs that somebody needs, as Kafka's own tool takes them."""

import shlex
from collections.abc import Iterator
from typing import Annotated

import typer

from streams.cli.clients import command_settings
from streams.cli.console import print_line
from streams.messages.access import Grant, Principal, ResourceKind, grants

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_OPTIONS = {
    ResourceKind.TOPIC: "--topic",
    ResourceKind.GROUP: "--group",
    ResourceKind.TRANSACTIONAL_ID: "--transactional-id",
}


@app.command(short_help="Print the ACLs that a worker, a publisher or a person needs.")
def access(
    principal: Annotated[Principal, typer.Argument(help="Who needs them; docs/access.md says who is who.")],
    user: Annotated[
        str | None, typer.Option("--user", show_default="dunning- and who", help="The user's name in Kafka.")
    ] = None,
) -> None:
    """Print the least that somebody needs on the cluster, as arguments of `kafka-acls.sh`, one call a line.

    Names follow DUNNING_TOPIC_PREFIX, DUNNING_APPLICATION_ID and DUNNING_REKEY. Asks no broker:

    dunning access worker | xargs -L 1 kafka-acls.sh --bootstrap-server broker:9092
    """
    settings = command_settings()
    given = grants(
        principal,
        application_id=settings.application_id,
        topic_prefix=settings.topic_prefix,
        rekeyed=settings.rekeyed,
    )
    for grant in given:
        print_line(shlex.join(_arguments(grant, user or f"dunning-{principal}")))


def _arguments(grant: Grant, user: str) -> Iterator[str]:
    yield from ("--add", "--allow-principal", f"User:{user}", _OPTIONS[grant.kind], grant.name)
    yield from ("--resource-pattern-type", "prefixed" if grant.is_prefix else "literal")
    for operation in grant.operations:
        yield from ("--operation", operation)
