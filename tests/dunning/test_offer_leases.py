"""Partitions share an offer's total: never more in sum, and all of it wherever it is needed."""

from collections import deque
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streams.dunning.offer_leases import EMPTY_BOOK, LeaseMessage, Leasing
from streams.dunning.offer_stock import Answer, Draw
from tests.dunning.customer import utc

ACCOUNT = "loyalty"
START = utc("2026-03-02 09:00")
AGAIN = timedelta(minutes=1)


class Partition:
    """One partition: a book that is kept between batches, and a log of messages to it."""

    def __init__(self, number: int, totals: dict[str, int]) -> None:
        self.number = number
        self.totals = totals
        self.book = EMPTY_BOOK
        self.log: deque[LeaseMessage] = deque()
        self.clock = START

    def batch(self, *costs: int, messages: int = 0) -> tuple[list[Answer], list[LeaseMessage]]:
        """Take in some of the log, try to draw these amounts, and end the batch."""
        leasing = Leasing(self.book, self.number, self.totals, clock=self.clock, ask_again_after=AGAIN)
        for _ in range(min(messages, len(self.log))):
            leasing.take(self.log.popleft())
        answers = []
        for cost in costs:
            draws = (Draw(ACCOUNT, cost),)
            answer = leasing.stock.answer(draws)
            answers.append(answer)
            leasing.settle(
                draws if answer is Answer.ENOUGH else (), draws if answer is Answer.NOT_AT_HAND else ()
            )
        leasing.provide()
        self.book = leasing.book
        return answers, leasing.outgoing


class Partitions:
    """Several partitions; the first keeps the account."""

    def __init__(self, number: int, total: int) -> None:
        self.each = [Partition(each, {ACCOUNT: total}) for each in range(number)]
        self.total = total

    def work(self, number: int, *costs: int, messages: int = 1) -> list[Answer]:
        answers, outgoing = self.each[number].batch(*costs, messages=messages)
        for message in outgoing:
            self.each[0 if message.to_keeper else message.partition].log.append(message)
        return answers

    def settle(self) -> None:
        """Let everything be said that there is to say."""
        for _ in range(10_000):
            waiting = [each.number for each in self.each if each.log]
            if not waiting:
                return
            self.work(waiting[0], messages=5)
        raise AssertionError("the partitions talk for ever")

    def pass_time(self) -> None:
        for each in self.each:
            each.clock += AGAIN

    def with_total(self, total: int, *, of: int) -> None:
        self.each[of].totals = {ACCOUNT: total}

    @property
    def used(self) -> int:
        return sum(lease.used for each in self.each for lease in each.book.leases.values())

    @property
    def held(self) -> int:
        return sum(lease.held for each in self.each for lease in each.book.leases.values())

    @property
    def on_the_way(self) -> int:
        return sum(
            message.amount
            for each in self.each
            for message in each.log
            if message.action in {"grant", "give_back"}
        )

    @property
    def granted(self) -> int:
        return sum(sum(each.granted.values()) for each in self.each[0].book.ledgers.values())


def draw_all(partitions: Partitions, number: int, cost: int = 1) -> int:
    """One partition draws until it is told that nothing is left; how often it could."""
    drawn = 0
    for _ in range(10_000):
        (answer,) = partitions.work(number, cost, messages=9)
        if answer is Answer.SPENT:
            return drawn
        if answer is Answer.NOT_AT_HAND:
            partitions.settle()
            partitions.pass_time()
        else:
            drawn += 1
    raise AssertionError("nobody says that all is spent")


@pytest.mark.parametrize("number", [0, 2])
@pytest.mark.parametrize("total", [0, 1, 7, 500])
def test_one_partition_can_use_all_of_it(number: int, total: int) -> None:
    partitions = Partitions(4, total)
    for each in range(4):
        partitions.work(each)
    partitions.settle()
    assert draw_all(partitions, number) == total == partitions.used
    assert partitions.held == 0


def test_at_first_most_is_still_to_be_had() -> None:
    partitions = Partitions(8, 1_600)
    for each in range(8):
        partitions.work(each)
    partitions.settle()
    held = [each.book.leases[ACCOUNT].held for each in partitions.each]
    assert held == [100, 93, 87, 82, 77, 72, 68, 63]


def test_a_partition_asks_before_it_has_used_all() -> None:
    partitions = Partitions(2, 1_600)
    partitions.work(1)
    partitions.settle()
    for _ in range(1_000):
        assert partitions.work(1, 1) == [Answer.ENOUGH]
        partitions.settle()


def test_a_tick_that_needs_more_than_is_held_gets_it_by_the_next() -> None:
    partitions = Partitions(2, 1_000)
    partitions.work(1)
    partitions.settle()
    answers = partitions.work(1, *[1] * 400)
    assert answers.count(Answer.ENOUGH) == 62
    assert answers.count(Answer.NOT_AT_HAND) == 338
    partitions.settle()
    partitions.pass_time()
    assert set(partitions.work(1, *[1] * 338)) == {Answer.ENOUGH}


def test_what_reminders_wait_for_is_not_taken_from_them() -> None:
    partitions = Partitions(3, 2)
    partitions.work(1, 1, 1)
    partitions.settle()
    assert partitions.each[1].book.leases[ACCOUNT].held == 2
    assert partitions.work(2, 1) == [Answer.NOT_AT_HAND]
    partitions.settle()
    # A refusal that is not final: the first may not use them.
    assert partitions.each[2].book.leases[ACCOUNT].refused is None
    partitions.pass_time()
    assert partitions.work(1, 1) == [Answer.ENOUGH]
    assert partitions.work(2, 1) == [Answer.NOT_AT_HAND]
    partitions.settle()
    for _ in range(3):
        partitions.pass_time()
    # The second reminder of the first partition never came back: what it waited for is free.
    partitions.work(2, 1)
    partitions.settle()
    partitions.pass_time()
    assert partitions.work(2, 1) == [Answer.ENOUGH]
    assert draw_all(partitions, 1) == 0


def test_what_is_too_much_is_refused_while_less_can_be_had() -> None:
    partitions = Partitions(2, 1_000)
    assert partitions.work(1, 1_001) == [Answer.SPENT]
    partitions.settle()
    assert draw_all(partitions, 1, 300) == 3
    assert draw_all(partitions, 1, 101) == 0
    assert draw_all(partitions, 0, 50) == 2
    assert partitions.used == 1_000


def test_a_higher_total_reaches_partitions_that_had_been_refused() -> None:
    partitions = Partitions(3, 5)
    assert draw_all(partitions, 1) == 5
    assert draw_all(partitions, 2) == 0
    # Whoever learns of it first.
    for number in (2, 0, 1):
        partitions.with_total(9, of=number)
        partitions.work(number)
        partitions.settle()
    assert draw_all(partitions, 2) + draw_all(partitions, 1) == 4
    assert partitions.used == 9


def test_a_lower_total_takes_back_what_is_not_used() -> None:
    partitions = Partitions(3, 160)
    for number in (0, 1, 2):
        partitions.work(number)
    partitions.settle()
    partitions.work(1, 1, 1, 1)
    assert partitions.held > 20
    for number in range(3):
        partitions.with_total(5, of=number)
        partitions.work(number)
    partitions.settle()
    assert draw_all(partitions, 2) == 2
    assert partitions.used == 5


def test_an_offer_that_is_no_more_gives_everything_back_and_can_come_again() -> None:
    partitions = Partitions(2, 160)
    for totals in ({}, {ACCOUNT: 160}):
        partitions.work(1, messages=3)
        partitions.settle()
        for each in partitions.each:
            each.totals = totals
            partitions.work(each.number)
        partitions.settle()
        assert (partitions.held > 0) is bool(totals)
    assert draw_all(partitions, 1) == 160


def test_without_offers_nothing_is_kept() -> None:
    partition = Partition(0, {})
    assert partition.batch() == ([], [])
    assert partition.book == EMPTY_BOOK


def test_what_is_not_held_cannot_be_drawn() -> None:
    leasing = Leasing(EMPTY_BOOK, 0, {ACCOUNT: 5}, clock=START, ask_again_after=AGAIN)
    with pytest.raises(ValueError, match="1 drawn from loyalty, of which 0 are held"):
        leasing.settle((Draw(ACCOUNT, 1),), ())


class Sharing(RuleBasedStateMachine):
    """Batches, demands and messages of four partitions in any order; and totals that change."""

    def __init__(self) -> None:
        super().__init__()
        self.partitions = Partitions(4, 20)
        self.highest = 20

    @rule(number=st.integers(0, 3), costs=st.lists(st.integers(1, 3), max_size=4), messages=st.integers(0, 3))
    def work(self, number: int, costs: list[int], messages: int) -> None:
        self.partitions.work(number, *costs, messages=messages)

    @rule()
    def pass_time(self) -> None:
        self.partitions.pass_time()

    @rule(total=st.integers(0, 40), number=st.integers(0, 3))
    def another_total(self, total: int, number: int) -> None:
        self.partitions.with_total(total, of=number)
        self.highest = max(self.highest, total)

    @invariant()
    def what_is_granted_is_accounted_for(self) -> None:
        partitions = self.partitions
        assert partitions.used + partitions.held + partitions.on_the_way == partitions.granted
        assert partitions.granted <= self.highest

    def teardown(self) -> None:
        """In the end all that is not used can be had by anybody, and no more."""
        partitions = self.partitions
        total = partitions.used + 3
        for each in partitions.each:
            each.totals = {ACCOUNT: total}
            partitions.work(each.number)
        partitions.settle()
        for _ in range(4):
            partitions.pass_time()
        assert draw_all(partitions, 3) == 3
        assert partitions.used == total
        assert partitions.held == 0


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5), st.integers(0, 60), st.data())
def test_demand_everywhere_uses_exactly_the_total(number: int, total: int, data: st.DataObject) -> None:
    partitions = Partitions(number, total)
    left = dict.fromkeys(range(number), total)
    while left:
        chosen = data.draw(st.sampled_from(sorted(left)))
        answers = partitions.work(
            chosen, *[1] * data.draw(st.integers(1, 4)), messages=data.draw(st.integers(0, 4))
        )
        if answers[-1] is Answer.SPENT:
            del left[chosen]
        elif answers[-1] is Answer.NOT_AT_HAND:
            partitions.pass_time()
            if not data.draw(st.booleans()):
                partitions.settle()
    partitions.settle()
    assert partitions.used == total


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), st.data())
def test_what_needs_two_accounts_uses_both_to_the_end(total: int, data: st.DataObject) -> None:
    totals = {ACCOUNT: total, f"{ACCOUNT}/USD": total * 200 + 100}
    draws = (Draw(ACCOUNT, 1), Draw(f"{ACCOUNT}/USD", 200))
    books, logs = [EMPTY_BOOK] * 3, [deque[LeaseMessage]() for _ in range(3)]
    clock, waiting, drawn = START, [total, total, total], 0

    def work(number: int, demand: int) -> tuple[int, int]:
        """One batch: how many reminders got an offer, how many wait."""
        leasing = Leasing(books[number], number, totals, clock=clock, ask_again_after=AGAIN)
        while logs[number]:
            leasing.take(logs[number].popleft())
        answers = []
        for _ in range(demand):
            answers.append(leasing.stock.answer(draws))
            got = answers[-1] is Answer.ENOUGH
            wait = answers[-1] is Answer.NOT_AT_HAND
            leasing.settle(draws if got else (), leasing.stock.awaiting(draws) if wait else ())
        leasing.provide()
        books[number] = leasing.book
        for message in leasing.outgoing:
            logs[0 if message.to_keeper else message.partition].append(message)
        return answers.count(Answer.ENOUGH), answers.count(Answer.NOT_AT_HAND)

    # Within the quarter of an hour for which a reminder waits.
    for _ in range(15):
        for number in data.draw(st.permutations(range(3))):
            got, waiting[number] = work(number, waiting[number])
            drawn += got
        while any(logs):
            work(data.draw(st.sampled_from([each for each in range(3) if logs[each]])), 0)
        clock += AGAIN
    assert drawn == total
    assert waiting == [0, 0, 0]
