"""Runs a worker until it is told to stop or cannot go on."""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from streams.engine.app import App
from streams.engine.errors import EngineError, ExitCode, FatalError, InternalError

__all__ = ["run_worker"]

logger = logging.getLogger(__name__)

# A round makes some ten thousand objects and drops them, hardly any in a cycle. Python's own threshold looks
# for cycles after every 700 that are left: a fifth of a busy worker's time, measured. After 50,000 it looks
# once in several rounds, and what is garbage in between is a few megabytes.
_COLLECT_AFTER = 50_000


def run_worker(app: App) -> int:
    """Run the app in this process; returns the exit code.

    SIGTERM and SIGINT finish the round in hand, commit it, and leave; a second signal ends the process at
    once, which loses and repeats nothing, since the open transaction is aborted. A fatal error is one line on
    stderr. A process that hangs while it stops is ended after ``stop_seconds``, with the code of the error it
    was to end with, else with that of being stuck.

    A static member does not leave the group when it stops: its partitions wait for it until the session times
    out, so that a restart costs no rebalance. With ``static_membership=False`` they go to others at once.

    Args:
        app: from `create_app`, with its agents and tables.
    """
    return int(asyncio.run(_Worker(app).run()))


class _Worker:
    def __init__(self, app: App) -> None:
        self._app = app
        self._signals = 0
        self._wanted = asyncio.Event()
        self._code = ExitCode.OK

    async def run(self) -> ExitCode:
        app = self._app
        app.engine.on_stuck = self._on_stuck
        with self._signal_handlers():
            try:
                await app.start()
                _tune_collector()
                await self._until_over()
            except FatalError as error:
                app.engine.fail(error)
            except Exception as error:  # the process ends with the cause on its last line
                logger.exception("the worker failed")
                app.engine.fail(InternalError(f"{type(error).__name__}: {error}"))
            self._code = app.engine.exit_code
            with self._last_resort():
                await app.stop()
        if app.engine.error is not None:
            _report(app.engine.error)
        return app.engine.exit_code

    async def _until_over(self) -> None:
        app = self._app
        waits = [
            asyncio.ensure_future(self._wanted.wait()),
            asyncio.ensure_future(app.engine.finished.wait()),
            asyncio.ensure_future(app.wait_until_stopped()),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        reason = app.crash_reason
        if reason is not None and app.engine.error is None:
            raise reason if isinstance(reason, FatalError) else InternalError(f"Faust crashed: {reason!r}")

    @contextmanager
    def _signal_handlers(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # whoever runs the worker in a thread handles signals
            return
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def _on_signal(self, number: int) -> None:
        self._signals += 1
        if self._signals > 1:
            sys.stderr.write("stopped at once by a second signal; the open round will be run again\n")
            _exit(ExitCode.FORCED)
        logger.info("%s: finishing the round and leaving", signal.Signals(number).name)
        self._wanted.set()

    @contextmanager
    def _last_resort(self) -> Iterator[None]:
        seconds = self._app.settings.stop_seconds

        def end() -> None:
            sys.stderr.write(f"the worker did not stop within {seconds:g} s and is ended\n")
            _exit(self._code or ExitCode.STUCK)

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _on_stuck(self, error: FatalError) -> None:
        # On the watchdog's thread: the event loop may never run again.
        _report(error)
        _exit(error.exit_code)


def _tune_collector() -> None:
    """Look for cycles less often, and never again through what the start has made."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])


def _report(error: EngineError) -> None:
    name = type(error).__name__.removesuffix("Error")
    code = error.exit_code if isinstance(error, FatalError) else ExitCode.INTERNAL
    sys.stderr.write(f"fatal: {name}: {error} (exit code {int(code)})\n")
    sys.stderr.flush()


def _exit(code: ExitCode) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code))
