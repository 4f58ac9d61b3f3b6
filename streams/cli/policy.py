"""`dunning policy`: look at policies, check them, and say which decide."""

from enum import StrEnum
from typing import Annotated

import typer

from streams.cli import policy_preview, policy_versions
from streams.cli.console import Format, Output, note, print_json, print_line, print_rows
from streams.cli.policy_versions import PolicyArgument
from streams.policy import load, shipped_names
from streams.policy.schema import file_schema

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Look at policies, check them, publish them.",
)


class DocumentFormat(StrEnum):
    """How a policy is printed."""

    YAML = "yaml"
    JSON = "json"


@app.command("list")
def list_policies(output: Output = Format.TABLE) -> None:
    """Name the shipped policies and their versions."""
    print_rows([{"name": name, "version": load(name).version} for name in shipped_names()], output)


@app.command()
def show(
    policy: PolicyArgument,
    output: Annotated[
        DocumentFormat, typer.Option("--output", "-o", help="The language of the document.")
    ] = DocumentFormat.YAML,
) -> None:
    """Print a whole policy: settings, defaults and texts.

    What it prints can be given back wherever a policy is asked for, and has the same version.
    """
    loaded = load(policy)
    document = loaded.as_yaml() if output is DocumentFormat.YAML else loaded.as_json()
    print_line(document.removesuffix("\n"))


@app.command()
def check(policy: PolicyArgument) -> None:
    """Check a policy as a whole.

    Every problem is named by its path in the document; if there is one, the exit code is 4. Warnings go to
    standard error and do not fail.
    """
    loaded = load(policy)
    for warning in loaded.warnings:
        note(f"warning: {warning}")
    print_line(f"{loaded.source}: policy {loaded.policy.name}, version {loaded.version}, is sound")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a policy's file, for editors and for checks elsewhere."""
    print_json(file_schema())


for _command in (
    policy_preview.preview,
    policy_versions.publish,
    policy_versions.versions,
    policy_versions.migrate,
    policy_versions.drop,
):
    app.command()(_command)
