"""`dunning topics`: what topics there are, and whether the broker has them as they should be."""

from typing import Annotated, Any

import typer

from streams.cli.clients import command_settings, connect
from streams.cli.cluster_topics import create_topics, inspect_topics
from streams.cli.console import Format, Output, note, print_line, print_rows
from streams.cli.errors import CommandError
from streams.cli.exit_codes import ExitCode
from streams.messages.topics import DEFAULT_PARTITIONS, TOPICS, Topic, topic_config

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Create Kafka's topics, check them, list them.",
)

VirtualTime = Annotated[
    bool,
    typer.Option(
        "--virtual-time",
        help="Fit for `dunning publish`: no limit on record timestamps, and nothing is ever deleted.",
    ),
]
Partitions = Annotated[
    int | None,
    typer.Option(
        "--partitions",
        min=1,
        show_default=str(DEFAULT_PARTITIONS),
        help="Partitions of each topic; all have the same number.",
    ),
]


@app.command("list")
def list_topics(output: Output = Format.TABLE) -> None:
    """List all topics, what is in them, and how long records stay. Asks no broker."""
    print_rows([_described(topic) for topic in TOPICS], output)


@app.command()
def create(
    virtual_time: VirtualTime = False,
    partitions: Partitions = None,
    replication: Annotated[
        int, typer.Option("--replication", min=1, help="Copies of each partition; 3 in production.")
    ] = 1,
) -> None:
    """Create the topics that do not exist yet, then check all of them.

    Those that exist are left as they are; if one of them is not as it should be, the exit code is 7.
    """
    settings = command_settings()
    admin = connect(settings)
    prefix = settings.topic_prefix
    created = create_topics(
        admin, prefix=prefix, virtual_time=virtual_time, partitions=partitions, replication=replication
    )
    for name in created:
        print_line(f"created {name}")
    if len(created) < len(TOPICS):
        note(f"{len(TOPICS) - len(created)} of {len(TOPICS)} topics existed already")
    findings = inspect_topics(admin, prefix=prefix, virtual_time=virtual_time, partitions=partitions)
    problems = [f"{finding.topic} {problem}" for finding in findings for problem in finding.problems]
    if problems:
        raise CommandError(
            "\n".join(["topics that exist already are not as they should be:", *problems]), ExitCode.TOPICS
        )


@app.command()
def check(
    virtual_time: VirtualTime = False, partitions: Partitions = None, output: Output = Format.TABLE
) -> None:
    """Compare the broker's topics with how they should be; the exit code is 7 if one differs."""
    settings = command_settings()
    findings = inspect_topics(
        connect(settings), prefix=settings.topic_prefix, virtual_time=virtual_time, partitions=partitions
    )
    print_rows(
        [
            {
                "topic": finding.topic,
                "partitions": finding.partitions,
                "problems": list(finding.problems),
            }
            for finding in findings
        ],
        output,
    )
    if any(finding.problems for finding in findings):
        raise typer.Exit(ExitCode.TOPICS)


def _described(topic: Topic) -> dict[str, Any]:
    config = topic_config(topic, virtual_time=False)
    return {
        "topic": topic.name,
        "direction": topic.direction.value,
        "partitions": topic.partitions,
        "cleanup": config["cleanup.policy"],
        "retention_ms": topic.retention_ms,
        "purpose": topic.purpose,
    }
