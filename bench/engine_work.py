"""Inputs of the engine job, and the check of its outputs."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from confluent_kafka import TopicPartition

from bench.cluster import Bench, send
from bench.engine_job import decode_total, encode_event
from bench.jobs import Verdict

_LARGEST_AMOUNT = 100_000
_FIRST_AT = 1_767_225_600_000


class EngineWork:
    """Events of customers drawn evenly, in one topic.

    Args:
        records: how many.
        customers: of how many.
        seed: another seed, other events.
    """

    def __init__(self, records: int, customers: int, seed: int = 1) -> None:
        self.records = records
        self._customers = customers
        self._seed = seed
        self._counts: Counter[str] = Counter()
        self._sums: Counter[str] = Counter()

    @property
    def input(self) -> str:
        """See `Work`."""
        return "bench-events"

    @property
    def inputs(self) -> Sequence[str]:
        """See `Work`."""
        return [self.input]

    def prepare(self, bench: Bench) -> None:
        """See `Work`."""
        bench.create(self.inputs)
        chance = random.Random(self._seed)  # noqa: S311 - a load, not a secret
        producer = bench.producer()
        for number in range(self.records):
            customer = f"customer-{chance.randrange(self._customers):08}"
            amount = chance.randrange(_LARGEST_AMOUNT)
            value = encode_event(customer, amount, _FIRST_AT + number)
            send(producer, self.input, value, customer.encode())
            self._counts[customer] += 1
            self._sums[customer] += amount
        producer.flush()

    def outputs(self, application: str) -> Sequence[str]:
        """See `Work`."""
        return [f"{application}-out"]

    def may_be_complete(self, written: int) -> bool:
        """See `Work`."""
        return written >= self.records

    def verify(
        self, bench: Bench, application: str, start: Mapping[TopicPartition, int], *, partly: bool
    ) -> Verdict:
        """Of each customer the counts must run 1..n without a gap, and the last sum must be right."""
        topics = self.outputs(application)
        totals: dict[bytes, tuple[int, int]] = {}
        records = 0
        out_of_step = 0
        for message in bench.read(topics, start):
            records += 1
            key, total = message.key() or b"", decode_total(message.value() or b"")
            if total[0] != totals.get(key, (0, 0))[0] + 1:
                out_of_step += 1
            totals[key] = total
        problems = []
        if records != self.records and not partly:
            problems.append(f"{records} outputs for {self.records} records")
        if out_of_step:
            problems.append(f"{out_of_step} counts out of step")
        expected = {key.encode(): (count, self._sums[key]) for key, count in self._counts.items()}
        different = sum(totals.get(key) != total for key, total in expected.items())
        if different and not partly:
            problems.append(f"{different} of {len(expected)} totals wrong")
        return Verdict(records, records, "; ".join(problems) or None, {})
