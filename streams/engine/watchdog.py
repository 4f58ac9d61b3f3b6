"""The watchdog: measures lag, and ends a process that is stuck.

Stuck is one where nothing moves although something should, and one that itself stood still for longer than
its session. It has a thread of its own, for what it watches may hang: a client call that never returns, an
agent that never gives the event loop back.
"""

import logging
import threading
import time
from collections.abc import Callable

from streams.engine.assignment import Assignment
from streams.engine.clients import Cluster
from streams.engine.errors import EngineError, FatalError, FencedError, InternalError, StuckError
from streams.engine.observer import Observer
from streams.engine.progress import Progress
from streams.engine.settings import EngineSettings

__all__ = ["Watchdog"]

logger = logging.getLogger(__name__)


class Watchdog:
    """Looks every ``lag_interval_seconds``.

    Args:
        settings: intervals.
        cluster: one of its own, since it asks from its own thread.
        assignment: knows what is committed.
        progress: is watched, and told the lag.
        observer: is told the lag.
        bark: called with the error when nothing moves.
    """

    def __init__(
        self,
        *,
        settings: EngineSettings,
        cluster: Callable[[], Cluster],
        assignment: Assignment,
        progress: Progress,
        observer: Observer,
        bark: Callable[[FatalError], None],
    ) -> None:
        self._settings = settings
        self._make_cluster = cluster
        self._assignment = assignment
        self._progress = progress
        self._observer = observer
        self._bark = bark
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine-watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more; does not wait."""
        self._stop.set()

    def _run(self) -> None:
        cluster = self._make_cluster()
        measured_at = time.monotonic()
        while self._sleep():
            if time.monotonic() - measured_at < self._settings.lag_interval_seconds:
                continue
            measured_at = time.monotonic()
            try:
                self._measure(cluster)
            except EngineError as error:
                # The consumer meets the same trouble and decides; without progress the check below does.
                logger.warning("lag cannot be measured: %s", error)
            except Exception as error:  # noqa: BLE001 - a watchdog must not die unnoticed
                self._bark(InternalError(f"the watchdog failed: {error!r}"))
                return
            age = self._progress.age_seconds
            if age > self._settings.stuck_after_seconds and self._should_move():
                self._bark(StuckError(self._finding(), age))
                return

    def _sleep(self) -> bool:
        """Sleep a little; ``False`` when there is nothing more to watch."""
        session = self._settings.session_timeout_seconds
        nap = min(self._settings.lag_interval_seconds, session / 4)
        before = time.monotonic()
        if self._stop.wait(nap):
            return False
        away = time.monotonic() - before
        if away > session:
            # Not this thread but the whole process stood still, as after SIGSTOP. What it had in hand may be
            # done by others now; Kafka would refuse it with one error or another, so say the cause instead.
            finding = f"the process stood still for {away:.0f} s, longer than its session of {session:.0f} s"
            self._bark(FencedError(self._settings.instance_id, finding))
            return False
        return True

    def _measure(self, cluster: Cluster) -> None:
        committed = dict(self._assignment.committed)
        # With nothing to ask about, ask for the topics: it is the answer that shows Kafka to be there.
        if not committed:
            cluster.partition_counts(())
        ends = cluster.end_offsets(committed, committed=True)
        self._progress.heard()
        lags = self._assignment.lags(ends)
        self._progress.lags = lags
        self._observer.lag(lags)

    def _should_move(self) -> bool:
        return (
            bool(self._progress.restoring) or any(self._progress.lags.values()) or not self._progress.joined
        )

    def _finding(self) -> str:
        if not self._progress.joined:
            return "the consumer group has not answered"
        if self._progress.restoring:
            return f"restoring {len(self._progress.restoring)} changelog partitions has not moved"
        behind = sum(self._progress.lags.values())
        return f"nothing was committed although {behind} records wait in the inputs"
