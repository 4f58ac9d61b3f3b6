"""The shares of offers' totals that partitions hold, kept beside their customers.

A partition's book changes with its own log, within the round that reads it, and what it says to others goes
out with that round (`streams.dunning.offer_leases` is the protocol). So the sum of what is offered never
exceeds a total, whichever worker has which partition, and whatever fails.
"""

from datetime import datetime

import msgspec

from streams.dunning.offer_leases import EMPTY_BOOK, LeaseMessage, Leasing, OfferBook
from streams.dunning.offer_stock import offer_of, totals_of
from streams.engine import App, Batch, Codec, Table
from streams.messages.codec import Encoder
from streams.messages.tables import OFFERS
from streams.policy import LoadedPolicy

_BOOK_KEY = "book"


class OfferBooks:
    """The table of books, one for each partition, and the way to other partitions.

    Args:
        app: the table is its.
        topic: where leases are spoken of.
        encoder: writes it.
    """

    def __init__(self, app: App, topic: str, encoder: Encoder) -> None:
        self._books: Table[OfferBook] = app.Table(
            OFFERS, codec=Codec(msgspec.msgpack.encode, msgspec.msgpack.Decoder(OfferBook).decode)
        )
        self._topic = topic
        self._encoder = encoder
        self._totals: tuple[str, dict[str, int]] = ("", {})

    def open(self, batch: Batch, policy: LoadedPolicy, clock: datetime) -> Leasing:
        """The part of the batch's partition, while the batch is worked through."""
        book = self._books.get(_BOOK_KEY, EMPTY_BOOK)
        again = policy.policy.marketing.ask_again_after
        return Leasing(book, batch.partition, self._totals_of(policy), clock=clock, ask_again_after=again)

    def adopt(self, leasing: Leasing, policy: LoadedPolicy) -> None:
        """Go by another policy's totals from here on."""
        leasing.adopt(self._totals_of(policy), policy.policy.marketing.ask_again_after)

    def _totals_of(self, policy: LoadedPolicy) -> dict[str, int]:
        version, totals = self._totals
        if version != policy.version:
            totals = totals_of(policy.policy)
            self._totals = (policy.version, totals)
        return totals

    def close(self, batch: Batch, leasing: Leasing) -> None:
        """Keep what has changed, and send what is to be said to other partitions."""
        leasing.provide()
        book = leasing.book
        if book != self._books.get(_BOOK_KEY, EMPTY_BOOK):
            self._books[_BOOK_KEY] = book
        for message in leasing.outgoing:
            self._send(batch, message)

    def _send(self, batch: Batch, message: LeaseMessage) -> None:
        batch.emit(
            self._topic,
            key=offer_of(message.account).encode(),
            value=self._encoder.encode(message),
            # The keeper is where the key falls: every partition finds it without knowing how many there are.
            partition=None if message.to_keeper else message.partition,
        )
