"""A partition that cannot be positioned yet is tried again between polls, and not for ever."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from streams.engine.assignment import Assignment
from streams.engine.errors import BrokerError, SeekRefusedError
from streams.engine.observer import Observer
from streams.engine.progress import Progress
from streams.engine.record import TopicPartition

INPUT = TopicPartition("in", 0)


class RefusingConsumer:
    """Refuses to seek so many times."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.started: list[Mapping[TopicPartition, int]] = []

    def start_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise SeekRefusedError("in[0]", "Erroneous state")
        self.started.append(offsets)

    def resume(self, _partitions: object) -> None:
        assert self.started


async def _offload(call: Any) -> Any:
    return call()


def _restored(consumer: RefusingConsumer) -> Assignment:
    assignment = Assignment(
        topics=["in"],
        consumer=cast("Any", consumer),
        cluster=cast("Any", None),
        tables=cast("Any", None),
        restorer=cast("Any", None),
        offload=_offload,
        observer=Observer(),
        progress=Progress(),
    )
    assignment._restored.append(0)
    assignment._starts = {INPUT: 7}
    return assignment


def test_a_refused_seek_is_tried_again_after_the_next_poll() -> None:
    consumer = RefusingConsumer(refusals=2)
    assignment = _restored(consumer)
    for ready in (set(), set(), {0}):
        asyncio.run(assignment.resume_restored())
        assert assignment.ready == ready
    assert consumer.started == [{INPUT: 7}]
    assert assignment.committed == {INPUT: 7}


def test_a_seek_that_is_refused_for_long_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.engine.assignment._SEEKS_SECONDS", -1.0)
    with pytest.raises(BrokerError, match=r"in\[0\] cannot be positioned yet"):
        asyncio.run(_restored(RefusingConsumer(refusals=1)).resume_restored())
