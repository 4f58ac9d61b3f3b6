"""`dunning forget`: erase a customer, or show what is held of them."""

from typing import Annotated

import typer
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.cli.clients import client_properties, command_settings, connect
from streams.cli.console import Format, Output, note, print_line, print_rows
from streams.cli.errors import CommandError
from streams.cli.exit_codes import ExitCode
from streams.cli.held_records import find_records, find_states
from streams.cli.policy_log import PolicyLog
from streams.dunning.state import CustomerState
from streams.lab.partitioner import partition_of
from streams.messages.topics import PROFILES
from streams.settings import Settings

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_SEND_SECONDS = 30.0


@app.command(short_help="Erase a customer, or show what is held of them.")
def forget(
    customer: Annotated[str, typer.Argument(help="The `customer_id`.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what is held, and until when; reads all topics.")
    ] = False,
    open_cases: Annotated[
        bool, typer.Option("--open-cases", help="Erase even if something is open: a case, a suspension.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Erase a customer: the workers drop all that they keep, at once and exactly once.

    A record without a value goes to the topic of profiles, where the worker that holds the customer reads it
    in its turn. Nothing more is sent, and no decision is written. First make sure that nobody publishes
    events of the customer any more: the next one starts anew.

    Records in topics stay until their time is over; --dry-run says when that is.

    A customer with an open case or a suspended subscription is not erased without --open-cases: nobody would
    be asked to pay any more, and nothing would be reactivated.
    """
    settings = command_settings()
    connect(settings)
    if dry_run:
        rows = [each.row() for each in find_records(settings, customer)]
        print_rows(rows, output)
        if not rows:
            note("nothing is held of this customer")
        return
    states = find_states(settings, customer)
    opened = [words for state in states.values() if (words := _open(state))]
    if opened and not open_cases:
        raise CommandError(
            f"nothing is erased: the customer has {'; '.join(opened)}. With --open-cases it is erased all "
            "the same, and then nothing is asked for and nothing reactivated any more"
        )
    partitions = _send(settings, customer, set(states))
    log = PolicyLog(settings)
    with log:
        moves = log.forget(customer)
    print_line(
        f"erased from {settings.topic(PROFILES.name)}, partition {', '.join(map(str, partitions))}"
        + (f", and from {moves} records that moved cases" if moves else "")
    )


def _open(state: CustomerState) -> str:
    counts = {
        "open cases": len(state.cases),
        "suspended subscriptions": len(state.suspended),
        "disputed invoices": sum(each.is_open for each in state.disputes),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _send(settings: Settings, customer: str, partitions: set[int]) -> list[int]:
    """Send the tombstone to the partition of the customer's state, else to the one by Kafka's hash."""
    topic = settings.topic(PROFILES.name)
    failures: list[KafkaError] = []

    def on_delivery(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    producer = Producer({**client_properties(settings), "enable.idempotence": True})
    count = len(producer.list_topics(topic, timeout=_SEND_SECONDS).topics[topic].partitions)
    if not count:
        raise CommandError(
            f"the topic {topic} does not exist; `dunning topics create` makes it", ExitCode.TOPICS
        )
    for partition in sorted(chosen := partitions or {partition_of(customer, count)}):
        producer.produce(
            topic,
            None,
            customer.encode(),
            partition,
            on_delivery=on_delivery,
        )
    left = producer.flush(_SEND_SECONDS)
    if failures:
        raise KafkaException(failures[0])
    if left:
        raise CommandError(f"Kafka took nothing within {_SEND_SECONDS:.0f} s", ExitCode.BROKER)
    return sorted(chosen)
