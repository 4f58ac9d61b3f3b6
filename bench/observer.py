"""Times a contender from outside: nothing that a contender says of itself counts.

Every 20 ms the observer asks the broker for the committed end of the output topics. The clock starts when the
first committed records are seen, so starting, joining the group and a just-in-time compiler's first steps up
to there do not count, and what had been committed by then is left out. It stops when the last committed
records are seen. Control records count as offsets; they are taken out in proportion afterwards.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.cluster import Bench

_SAMPLE_SECONDS = 0.02


class NothingHappenedError(Exception):
    """A contender committed nothing, or stopped committing long before the end."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What was seen.

    Attributes:
        seconds: from the first committed records to the last.
        share: of all offsets, those that were committed within these seconds.
        offsets: all offsets that were written, control records included.
        finished: whether what was expected came; else nothing moved for too long, or time was up.
        cut_short: time was up; what was measured up to there still counts.
    """

    seconds: float
    share: float
    offsets: int
    finished: bool
    cut_short: bool = False


def observe(
    bench: Bench,
    topics: Sequence[str],
    *,
    baseline: int,
    is_complete: Callable[[int], bool],
    is_alive: Callable[[], bool],
    patience_seconds: float,
    limit_seconds: float,
    begin_at: int = 1,
) -> Timing:
    """Watch the output topics until they are complete.

    Args:
        bench: the broker.
        topics: the outputs.
        baseline: their total before the contender was started.
        is_complete: told how many offsets were written; asked whenever that has changed, and when it has not
            for half a second.
        is_alive: whether the contender still runs.
        patience_seconds: how long nothing may move.
        limit_seconds: how long to watch from the first committed records on; slow contenders are cut short.
        begin_at: the clock starts when so many offsets were written.

    Raises:
        NothingHappenedError: no output within the patience, or the contender died before the first.
    """
    first: tuple[float, int] | None = None
    last_moved = time.monotonic()
    written = 0
    asked_at = 0.0
    while True:
        # The answer tells what was committed when the broker was asked, about half a round trip ago.
        now = time.monotonic()
        count = bench.total(topics) - baseline
        if count > written:
            written, last_moved = count, now
            if first is None and count >= begin_at:
                first = (now, count)
            if first and is_complete(written):
                return _timing(first, last_moved, written, finished=True)
        elif first and now - asked_at > 0.5:
            asked_at = now
            if is_complete(written):
                return _timing(first, last_moved, written, finished=True)
        if first and now - first[0] > limit_seconds:
            return _timing(first, last_moved, written, finished=False, cut_short=True)
        if now - last_moved > patience_seconds or not is_alive():
            if first is None:
                raise NothingHappenedError(f"no output within {now - last_moved:.0f} s")
            return _timing(first, last_moved, written, finished=False)
        time.sleep(_SAMPLE_SECONDS)


def _timing(
    first: tuple[float, int], last: float, written: int, *, finished: bool, cut_short: bool = False
) -> Timing:
    started, before = first
    return Timing(
        seconds=max(last - started, 1e-9),
        share=(written - before) / written if written else 0.0,
        offsets=written,
        finished=finished,
        cut_short=cut_short,
    )
