"""How partitions share the total of an offer: leases, and the keeper that grants them.

An account (`streams.dunning.offer_stock`) is drawn from in every partition, and its total must never be
exceeded, whichever worker has which partition and whatever crashes. So

1.  one partition is the account's keeper. Its ledger says what has been granted to each partition, and the
    sum of that never exceeds the total;
2.  a partition draws only from what it was granted: its lease. When that runs low it asks for more, before it
    is needed, and the keeper grants a share of what is left;
3.  where the keeper has nothing left and a reminder waits, the ask is pressing: the keeper recalls what
    others hold. They give back all but what their own waiting reminders need, and the keeper grants it to
    whoever asked first. When nobody holds anything any more, the refusal is final: the total is spent.

Leases and ledgers change with the records of a partition's own log, in the round that reads them, and what
they say to each other goes out in the same round: no crash counts a grant twice, or never.

The total is that of the policy which the keeper's partition goes by. A higher one is granted as asked for. A
lower one, or an offer that is no more, takes back all that is not used; what was offered stays offered.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from streams.dunning.offer_stock import Draw, Stock

_SHARES = 16
"""A grant is a sixteenth of what is left, or what reminders wait for: with eight partitions that have each
asked once, more than half is still to be had without recalling anything."""

_LOW = 4
"""A partition asks for more when a quarter of its last grant is left: the answer takes a few rounds."""


class LeaseMessage(Struct, frozen=True, kw_only=True, tag_field="type", tag="offer-lease"):
    """What a partition and a keeper say to each other about an account.

    `partition` is the one that draws; what it says comes with what it has `used` so far.

    - `ask`: it wants `amount`, or a share if that is 0; `least` would help. If `pressing`, a reminder waits.
    - `grant`: it has `amount` more; 0 is a refusal of `least` (of an ask that was `pressing` or not), and a
      `final` one if nobody else has anything.
    - `recall`: it is to give back what it does not need; if `pressing`, everything.
    - `give_back`: it does.
    """

    action: Literal["ask", "grant", "recall", "give_back"]
    account: str
    partition: int
    amount: int = 0
    least: int = 0
    pressing: bool = False
    used: int = 0
    final: bool = False

    @property
    def to_keeper(self) -> bool:
        """Whether it is for the account's keeper, else for the partition that draws."""
        return self.action in {"ask", "give_back"}


class Lease(Struct, frozen=True, array_like=True):
    """What a partition has of an account: `held` may be drawn, `used` has been.

    `asking`: an answer is due. `dry`: the keeper had nothing to spare, or has taken it back, while the
    partition's policy had the total `total`; so only what is needed is asked for. `refused` is the least that
    was refused for good. Since the window that ends at `wanted_until`, reminders wait for `wanted`, of which
    the smallest needs `least`.
    """

    held: int = 0
    used: int = 0
    low: int = 1
    asking: bool = False
    dry: bool = False
    total: int = 0
    refused: int | None = None
    wanted: int = 0
    least: int = 1
    wanted_until: datetime | None = None


class Ledger(Struct, frozen=True, array_like=True):
    """What the keeper of an account knows.

    `granted` is what each partition that ever asked has got, less what it gave back, and `used` what it had
    drawn when it last spoke. `recalled` are those of whom an answer to a recall is due, once for each;
    `waiting` are pressing asks without an answer.
    """

    total: int
    granted: dict[int, int] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)
    recalled: tuple[int, ...] = ()
    waiting: tuple[LeaseMessage, ...] = ()

    @property
    def left(self) -> int:
        """What may still be granted; negative after the total was lowered."""
        return self.total - sum(self.granted.values())

    def holding(self, but: int | None = None) -> tuple[int, ...]:
        """The partitions that may hold something, without one."""
        return tuple(
            each for each, amount in self.granted.items() if each != but and amount > self.used.get(each, 0)
        )


class OfferBook(Struct, frozen=True, array_like=True):
    """The leases and ledgers of one partition, by account."""

    leases: dict[str, Lease] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)


EMPTY_BOOK = OfferBook()
_NO_LEASE = Lease()


class Leasing:
    """One partition's part in the protocol while a batch is worked through; its values are frozen.

    Args:
        book: what is kept of the partition.
        partition: its number.
        totals: of each account of the policy that the partition goes by.
        clock: the partition's (UTC).
        ask_again_after: how long a reminder waits before it is looked at again.

    Attributes:
        outgoing: what is to be sent, in order.
        stock: what decisions may draw from; it changes with the leases.
    """

    def __init__(
        self,
        book: OfferBook,
        partition: int,
        totals: Mapping[str, int],
        *,
        clock: datetime,
        ask_again_after: timedelta,
    ) -> None:
        self.clock = clock
        self.outgoing: list[LeaseMessage] = []
        self._partition = partition
        self._leases = dict(book.leases)
        self._ledgers = dict(book.ledgers)
        self._held: dict[str, int] = {}
        self._refused: dict[str, int] = {}
        self.stock = Stock(self._held, self._refused)
        self.adopt(totals, ask_again_after)

    @property
    def book(self) -> OfferBook:
        """What is to be kept."""
        return OfferBook(dict(self._leases), dict(self._ledgers))

    def adopt(self, totals: Mapping[str, int], ask_again_after: timedelta) -> None:
        """Go by these totals from here on: of the accounts that this partition keeps, they count at once."""
        self._totals = totals
        self._again = ask_again_after
        self._held.clear()
        self._refused.clear()
        for account in totals:
            self._show(account, self._leases.get(account, _NO_LEASE))
        for account, ledger in self._ledgers.items():
            total = totals.get(account, 0)
            if total != ledger.total:
                self._ledgers[account] = self._with_total(account, ledger, total)

    def settle(self, drawn: tuple[Draw, ...], awaited: tuple[Draw, ...]) -> None:
        """Take off what a decision has drawn, and note what it waits for.

        Raises:
            ValueError: more is drawn than is held.
        """
        for draw in drawn:
            lease = self._leases.get(draw.account, _NO_LEASE)
            if draw.amount > lease.held:
                raise ValueError(f"{draw.amount} drawn from {draw.account}, of which {lease.held} are held")
            self._put_lease(
                draw.account,
                replace(
                    lease,
                    held=lease.held - draw.amount,
                    used=lease.used + draw.amount,
                    wanted=max(0, lease.wanted - draw.amount),
                ),
            )
        for draw in awaited:
            self._put_lease(
                draw.account, self._wanting(self._leases.get(draw.account, _NO_LEASE), draw.amount)
            )

    def provide(self) -> None:
        """Ask for what is running low, and for what reminders wait for. At the end of a batch."""
        for account, total in self._totals.items():
            lease = self._leases.get(account, _NO_LEASE)
            if lease.asking:
                continue
            if lease.total != total:
                lease = replace(lease, total=total, dry=False, refused=None)
            lacking = self._needed(lease) - lease.held
            if lacking > 0 and (lease.refused is None or lease.least < lease.refused):
                least = max(1, lease.least - lease.held)
                self._ask(account, lease, amount=lacking, least=least, pressing=True)
            elif total > 0 and not lease.dry and lease.held < lease.low:
                self._ask(account, lease, amount=0, least=1, pressing=False)

    def take(self, message: LeaseMessage) -> None:
        """Take in what another partition, or this one, has said."""
        account = message.account
        if message.to_keeper:
            ledger = self._ledgers.get(account) or Ledger(self._totals.get(account, 0))
            take = self._asked if message.action == "ask" else self._given_back
            self._ledgers[account] = take(ledger, message)
            return
        lease = self._leases.get(account, _NO_LEASE)
        if message.action == "grant":
            self._put_lease(account, _granted(lease, message))
        else:
            self._recalled(account, lease, everything=message.pressing)

    # The partition that draws.

    def _put_lease(self, account: str, lease: Lease) -> None:
        self._leases[account] = lease
        if account in self._totals:
            self._show(account, lease)

    def _show(self, account: str, lease: Lease) -> None:
        """Let decisions see a lease. More than the whole total need not be waited for."""
        total = self._totals[account]
        self._held[account] = lease.held
        known = lease.refused if lease.total == total else None
        self._refused[account] = total + 1 if known is None else min(known, total + 1)

    def _wanting(self, lease: Lease, amount: int) -> Lease:
        """A reminder that waits comes back after the window that is open now, and counts in each once."""
        if lease.wanted_until is None or self.clock >= lease.wanted_until:
            return replace(lease, wanted=amount, least=amount, wanted_until=self.clock + self._again)
        return replace(lease, wanted=lease.wanted + amount, least=min(lease.least, amount))

    def _needed(self, lease: Lease) -> int:
        """What reminders wait for that come back soon; those that have not are gone."""
        if lease.wanted_until is None or self.clock > lease.wanted_until + self._again:
            return 0
        return lease.wanted

    def _ask(self, account: str, lease: Lease, *, amount: int, least: int, pressing: bool) -> None:
        self._put_lease(account, replace(lease, asking=True))
        self._say(
            LeaseMessage(
                action="ask",
                account=account,
                partition=self._partition,
                amount=amount,
                least=least,
                pressing=pressing,
                used=lease.used,
            )
        )

    def _recalled(self, account: str, lease: Lease, *, everything: bool) -> None:
        kept = 0 if everything else min(lease.held, self._needed(lease))
        self._put_lease(account, replace(lease, held=kept, dry=True))
        self._say(
            LeaseMessage(
                action="give_back",
                account=account,
                partition=self._partition,
                amount=lease.held - kept,
                used=lease.used,
            )
        )

    # The keeper.

    def _asked(self, ledger: Ledger, ask: LeaseMessage) -> Ledger:
        ledger = _heard(ledger, ask, given_back=0)
        if ledger.left >= ask.least:
            return self._grant(ledger, ask)
        if not ask.pressing:
            self._refuse(ask)
            return ledger
        ledger = replace(ledger, waiting=(*ledger.waiting, ask))
        others = tuple(each for each in ledger.holding(but=ask.partition) if each not in ledger.recalled)
        return self._serve(self._recall(ask.account, ledger, others))

    def _given_back(self, ledger: Ledger, message: LeaseMessage) -> Ledger:
        ledger = _heard(ledger, message, given_back=message.amount)
        recalled = _without_one(ledger.recalled, message.partition)
        return self._serve(replace(ledger, recalled=recalled))

    def _serve(self, ledger: Ledger) -> Ledger:
        """Answer those who wait, first come first served; when nothing more can come, refuse the others."""
        while ledger.waiting and ledger.left >= ledger.waiting[0].least:
            first, *others = ledger.waiting
            ledger = self._grant(replace(ledger, waiting=tuple(others)), first)
        if ledger.recalled:
            return ledger
        for ask in ledger.waiting:
            # Who kept something for its own reminders, or was granted some meanwhile, may have it left over.
            self._refuse(ask, final=not ledger.holding(but=ask.partition))
        return replace(ledger, waiting=())

    def _grant(self, ledger: Ledger, ask: LeaseMessage) -> Ledger:
        amount = min(ledger.left, max(ask.amount, ask.least, ledger.left // _SHARES))
        self._say(LeaseMessage(action="grant", account=ask.account, partition=ask.partition, amount=amount))
        granted = {**ledger.granted, ask.partition: ledger.granted[ask.partition] + amount}
        return replace(ledger, granted=granted)

    def _refuse(self, ask: LeaseMessage, *, final: bool = False) -> None:
        self._say(replace(ask, action="grant", amount=0, used=0, final=final))

    def _recall(
        self, account: str, ledger: Ledger, partitions: tuple[int, ...], *, everything: bool = False
    ) -> Ledger:
        for partition in partitions:
            self._say(
                LeaseMessage(action="recall", account=account, partition=partition, pressing=everything)
            )
        return replace(ledger, recalled=(*ledger.recalled, *partitions))

    def _with_total(self, account: str, ledger: Ledger, total: int) -> Ledger:
        """Another total: more is shared among all who ever asked, of less everything is taken back."""
        ledger = replace(ledger, total=total)
        if ledger.left < 0:
            return self._recall(account, ledger, ledger.holding(), everything=True)
        for partition in ledger.granted:
            if ledger.left > 0:
                share = LeaseMessage(action="ask", account=account, partition=partition, least=1)
                ledger = self._grant(ledger, share)
        return ledger

    def _say(self, message: LeaseMessage) -> None:
        self.outgoing.append(message)


def _heard(ledger: Ledger, message: LeaseMessage, *, given_back: int) -> Ledger:
    partition = message.partition
    return replace(
        ledger,
        granted={**ledger.granted, partition: ledger.granted.get(partition, 0) - given_back},
        used={**ledger.used, partition: message.used},
    )


def _granted(lease: Lease, message: LeaseMessage) -> Lease:
    if message.amount:
        return replace(
            lease,
            held=lease.held + message.amount,
            low=max(1, message.amount // _LOW),
            asking=False,
            dry=False,
            refused=None,
        )
    refused = lease.held + message.least if message.final else lease.refused
    # What was refused is asked for again when the reminders come back, not before.
    wanted = min(lease.wanted, lease.held) if message.pressing else lease.wanted
    return replace(lease, asking=False, dry=True, refused=refused, wanted=wanted)


def _without_one(partitions: tuple[int, ...], partition: int) -> tuple[int, ...]:
    left = list(partitions)
    if partition in left:
        left.remove(partition)
    return tuple(left)
