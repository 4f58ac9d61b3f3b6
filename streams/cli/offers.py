"""`dunning offers`: what is offered of each offer's total, and what is left."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
import typer

from streams.cli.clients import command_settings, connect
from streams.cli.console import Format, Output, print_rows
from streams.cli.deployment_state import changelog_records
from streams.dunning.offer_leases import Lease, Ledger, OfferBook
from streams.dunning.offer_stock import offer_of
from streams.engine.codec import open_envelope
from streams.messages.tables import OFFERS
from streams.settings import Settings

_BOOK = msgspec.msgpack.Decoder(OfferBook)

app = typer.Typer(add_completion=False, rich_markup_mode=None)

ByPartition = Annotated[
    bool, typer.Option("--by-partition", help="What each partition was granted, holds and has used.")
]


@app.command()
def offers(by_partition: ByPartition = False, output: Output = Format.TABLE) -> None:
    """Show each offer's budget: what is granted to partitions, used, and left.

    A row counts offers, or, where it names a currency, what they take off in its minor units. `granted` is
    what partitions may use, used or not; `left` is what may still be offered, granted or not. The budget is
    that of the policy in force. Reads the changelog of the partitions' shares, committed records only.
    """
    settings = command_settings()
    connect(settings)
    books = read_books(settings)
    print_rows(list(_by_partition(books) if by_partition else _in_sum(books)), output)


def read_books(settings: Settings) -> dict[int, OfferBook]:
    """The shares of all partitions, as they are committed.

    Raises:
        KafkaException: no worker has run yet, or the broker does not answer.
    """
    books: dict[int, OfferBook] = {}
    for message in changelog_records(settings, OFFERS):
        if (value := message.value()) is not None:
            books[message.partition() or 0] = _BOOK.decode(open_envelope(value))
    return books


def _in_sum(books: Mapping[int, OfferBook]) -> Iterator[dict[str, Any]]:
    for account, ledger in sorted(_ledgers(books).items()):
        used = sum(lease.used for lease in _leases(books, account).values())
        yield {
            **_named(account),
            "budget": ledger.total,
            "granted": sum(ledger.granted.values()),
            "used": used,
            "left": ledger.total - used,
        }


def _by_partition(books: Mapping[int, OfferBook]) -> Iterator[dict[str, Any]]:
    for account, ledger in sorted(_ledgers(books).items()):
        leases = _leases(books, account)
        for partition in sorted({*leases, *ledger.granted}):
            lease = leases.get(partition, Lease())
            yield {
                **_named(account),
                "partition": partition,
                "granted": ledger.granted.get(partition, 0),
                "held": lease.held,
                "used": lease.used,
            }


def _named(account: str) -> dict[str, Any]:
    offer = offer_of(account)
    return {"offer": offer, "currency": account[len(offer) + 1 :] or None}


def _ledgers(books: Mapping[int, OfferBook]) -> dict[str, Ledger]:
    """Each account's ledger, which one partition keeps."""
    return {account: ledger for book in books.values() for account, ledger in book.ledgers.items()}


def _leases(books: Mapping[int, OfferBook], account: str) -> dict[int, Lease]:
    return {partition: book.leases[account] for partition, book in books.items() if account in book.leases}
