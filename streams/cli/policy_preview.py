"""`dunning policy preview`: the messages of a policy with sample values."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from streams.cli.console import data_console, note
from streams.dunning.audience import Tone
from streams.dunning.events import Channel
from streams.policy import load
from streams.policy.content_preview import Preview, page, previews, tone_for


def preview(  # noqa: PLR0917 (Typer gives each by its name)
    template: Annotated[
        str | None, typer.Argument(metavar="[TEMPLATE]", help="A template's name; without it, all of them.")
    ] = None,
    policy: Annotated[
        str,
        typer.Option(metavar="NAME|FILE", help="A shipped policy's name, or a policy's file or directory."),
    ] = "care",
    locale: Annotated[
        str | None, typer.Option(help="The customer's locale, like de-AT.", show_default="the policy's")
    ] = None,
    segment: Annotated[
        str | None, typer.Option(help="The customer's segment: it chooses the tone.", show_default=False)
    ] = None,
    tone: Annotated[
        Tone | None, typer.Option(help="The tone, whatever the segment.", show_default="the policy's")
    ] = None,
    channel: Annotated[Channel | None, typer.Option(help="By one channel only.", show_default="all")] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write them to one HTML page instead, e-mails as they look."),
    ] = None,
) -> None:
    """Show messages as customers see them, with sample values.

    Nothing is sent. Each SMS says how many segments it takes, and in which alphabet.
    """
    loaded = load(policy)
    wanted = locale or loaded.policy.default_locale
    try:
        spoken = tone or tone_for(loaded, segment)
        shown = list(previews(loaded, locale=wanted, tone=spoken, template=template, channel=channel))
    except LookupError as error:
        raise typer.BadParameter(str(error.args[0])) from None
    if html is None:
        for each in shown:
            _print(each, wanted)
        return
    html.write_text(page(loaded, shown, spoken, wanted), encoding="utf-8")
    note(f"{len(shown)} messages are in {html}")


def _print(each: Preview, wanted: str) -> None:
    command, console = each.command, data_console()
    written = "" if each.written_in == wanted else f" (text in {each.written_in})"
    size = f"  {each.size}" if each.size else ""
    heading = f"{command.template}  {command.channel.value}  {wanted}{written}  {command.tone}"
    console.print(Text.assemble((heading, "bold"), (size, "dim")), soft_wrap=True)
    if command.subject is not None:
        console.print(Text(command.subject, "underline"), soft_wrap=True)
    console.print(Text(command.body), soft_wrap=True)
    console.print()
