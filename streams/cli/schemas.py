"""`dunning schemas`: this release's schemas, and those that a registry holds."""

import json
from collections.abc import Iterator
from typing import Any

import typer

from streams.cli.clients import command_settings
from streams.cli.console import Format, Output, print_line, print_rows
from streams.cli.errors import CommandError
from streams.cli.exit_codes import ExitCode
from streams.messages.compatibility import breaks
from streams.messages.registry import Registry
from streams.messages.schemas import Schema, present_schema
from streams.messages.topics import TOPICS, Topic, subject_of

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Compare this release's schemas with a registry's, and register them.",
)


@app.command()
def check(output: Output = Format.TABLE) -> None:
    """Compare all schemas with all that the registry holds; the exit code is 10 if something is wrong.

    Each must be registered, or a worker would not start, and must be able to read what any registered version
    wrote. Every difference is named, by version and field.
    """
    registry = _registry()
    rows = [_checked(registry, topic) for topic in _topics()]
    print_rows(rows, output)
    if any(row["problems"] for row in rows):
        raise typer.Exit(ExitCode.REGISTRY)


@app.command()
def register() -> None:
    """Register this release's schemas: all of them, or none if one cannot read what is registered.

    For people, before a release is deployed; a worker never registers. A new subject is set to
    BACKWARD_TRANSITIVE.
    """
    registry = _registry()
    problems = [
        f"{registry.name(subject_of(topic))}: {problem}"
        for topic in _topics()
        for problem in _incompatibilities(registry, topic)
    ]
    if problems:
        raise CommandError("\n".join(["nothing is registered:", *problems]), ExitCode.REGISTRY)
    for topic in _topics():
        subject, text = subject_of(topic), _text(topic)
        if _id(registry, topic) is None:
            print_line(f"registered {registry.name(subject)} as {registry.register(subject, text)}")


def _registry() -> Registry:
    registry = command_settings().registry()
    if registry is None:
        raise CommandError(
            "no registry is configured; DUNNING_SCHEMA_REGISTRY_URL says where it is. Without one, our "
            "own schemas serve",
            ExitCode.SETTINGS,
        )
    return registry


def _topics() -> list[Topic]:
    return [topic for topic in TOPICS if topic.struct is not None]


def _schema(topic: Topic) -> Schema:
    return present_schema(topic.name)


def _text(topic: Topic) -> str:
    # As the encoder asks for it.
    return json.dumps(_schema(topic))


def _id(registry: Registry, topic: Topic) -> int | None:
    try:
        return registry.id_of(subject_of(topic), _text(topic))
    except LookupError:
        return None


def _checked(registry: Registry, topic: Topic) -> dict[str, Any]:
    schema_id = _id(registry, topic)
    problems = list(_incompatibilities(registry, topic))
    if schema_id is None:
        problems.append("is not registered; `dunning schemas register` does it")
    return {
        "subject": registry.name(subject_of(topic)),
        "id": schema_id,
        "problems": problems,
    }


def _incompatibilities(registry: Registry, topic: Topic) -> Iterator[str]:
    """Each difference from each version; then, if there is none, what the registry's own rule says."""
    subject = subject_of(topic)
    versions = registry.versions(subject)
    found = [
        f"cannot read version {each.version}: {f'{path}: ' if path else ''}{message}"
        for each in versions
        for path, message in breaks(_schema(topic), each.schema)
    ]
    yield from found
    if versions and not found and not registry.accepts(subject, _text(topic)):
        yield "is refused by the registry's own rule of compatibility"
