"""The two jobs as the harness runs them: prepared inputs, output topics, and what is a right result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from confluent_kafka import TopicPartition

from bench.cluster import Bench


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a contender committed.

    Attributes:
        records: input records that are accounted for by outputs.
        outputs: how many output records.
        wrong: what is not as it must be; ``None`` if all is right.
        counts: outputs by kind, where there are several.
    """

    records: int
    outputs: int
    wrong: str | None
    counts: Mapping[str, int]


class Work(Protocol):
    """A job with its inputs in Kafka."""

    records: int
    """How many input records; rates are of these."""

    @property
    def input(self) -> str:
        """What the contenders are given as their input."""

    @property
    def inputs(self) -> Sequence[str]:
        """The input topics."""

    def prepare(self, bench: Bench) -> None:
        """Fill the input topics."""

    def outputs(self, application: str) -> Sequence[str]:
        """The output topics of a run."""

    def may_be_complete(self, written: int) -> bool:
        """Whether so many written offsets can be all; cheap, since it is asked often."""

    def verify(
        self, bench: Bench, application: str, start: Mapping[TopicPartition, int], *, partly: bool
    ) -> Verdict:
        """Read what was committed from these offsets on, and check it.

        ``partly``: the contender was stopped on its way, so not all is there.
        """
