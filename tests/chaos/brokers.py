"""The broker dies and comes back, or is slow or far away, under load."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streams.broker import LocalKafka
from streams.broker.process import HOST, free_port
from streams.broker.properties import PropertyValue
from streams.engine import ExitCode
from tests.app.harness import Worker, wait_for

from .slow_link import SlowLink
from .stage import SkippedError, Stage

__all__ = ["far_away", "killed_and_restarted", "slow", "stalled"]

# A producer whose transaction can be neither committed nor aborted in time ends its worker: that is allowed,
# and a supervisor starts it again.
_GIVEN_UP: frozenset[int] = frozenset({ExitCode.BROKER, ExitCode.FENCED})
_PATIENT: dict[str, Any] = {"session_timeout_seconds": 30}


def killed_and_restarted(directory: Path, chance: random.Random) -> str:
    """``kill -9`` of the broker under load, and an orderly restart."""
    with LocalKafka.start(directory=directory / "kafka") as kafka:

        def hurt(stage: Stage) -> None:
            kafka.kill()
            time.sleep(stage.chance.uniform(0.5, 4))
            kafka.restart()

        def restart(_stage: Stage) -> None:
            os.kill(kafka.pid, signal.SIGTERM)
            wait_for(lambda: not kafka.is_running, "the broker has stopped in order")
            kafka.restart()

        return _under_load(kafka, directory, chance, (hurt, restart, hurt))


def slow(directory: Path, chance: random.Random) -> str:
    """The broker stands still for seconds, again and again."""
    with LocalKafka.start() as kafka:

        def hold_up(stage: Stage) -> None:
            _signal(kafka, signal.SIGSTOP)
            time.sleep(stage.chance.uniform(1, 6))
            _signal(kafka, signal.SIGCONT)
            time.sleep(1)

        return _under_load(kafka, directory, chance, (hold_up,) * 5)


def far_away(directory: Path, chance: random.Random) -> str:
    """Workers reach the broker by a link that is long and thin, sometimes hardly there, and breaks."""
    port = free_port()
    inner = free_port(besides=port)
    controller = next(each for each in iter(free_port, 0) if each not in {port, inner})
    with SlowLink(inner) as link:
        listeners: dict[str, PropertyValue] = {
            "listeners": f"CLIENT://{HOST}:{port},FAR://{HOST}:{inner},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"CLIENT://{HOST}:{port},FAR://{link.address}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.quorum.voters": f"1@{HOST}:{controller}",
        }
        with LocalKafka.start(port=port, properties=listeners) as kafka:
            if kafka.launch.kill_command is not None:
                raise SkippedError("a broker in Docker shows one port only, and the link needs another")

            def thin(stage: Stage) -> None:
                link.set(
                    latency_seconds=stage.chance.uniform(0.02, 0.3),
                    bytes_per_second=stage.chance.uniform(60_000, 300_000),
                )
                time.sleep(stage.chance.uniform(2, 6))

            def hardly_there(stage: Stage) -> None:
                link.set(latency_seconds=1.0, bytes_per_second=2_000)
                time.sleep(stage.chance.uniform(3, 10))
                thin(stage)

            def broken(stage: Stage) -> None:
                link.cut()
                thin(stage)

            blows = (thin, hardly_there, broken, thin, broken)
            return _under_load(kafka, directory, chance, blows, bootstrap_servers=link.address)


def stalled(stage: Stage) -> str:
    """A consumer that brings nothing although there is lag: the watchdog ends the process."""
    stage.plan(customers=30 * stage.scale)
    worker = stage.start(breaks="stall:40", stuck_after_seconds=8)
    stage.feed(0.7)
    stage.wait_for_death(worker, ExitCode.STUCK)
    assert "records wait in the inputs" in worker.log.read_text()
    return "ended with exit code 83; " + stage.finish(stage.start())


def _under_load(
    kafka: LocalKafka,
    directory: Path,
    chance: random.Random,
    blows: tuple[Callable[[Stage], None], ...],
    **settings: Any,
) -> str:
    settings |= _PATIENT
    stage = Stage(kafka.bootstrap_servers, "chaos.", directory, chance)
    try:
        stage.plan(customers=150)
        running = {name: stage.start(name, **settings) for name in "01"}
        for place, blow in enumerate(blows):
            stage.feed(1 / (len(blows) - place + 1))
            time.sleep(chance.uniform(0.1, 1.5))
            blow(stage)
            _supervise(stage, running, settings)
        deadline = time.monotonic() + 180
        stage.feed()
        while stage.lag():
            _supervise(stage, running, settings)
            assert time.monotonic() < deadline, "no end within three minutes"
            time.sleep(0.3)
        restarts = len(stage.workers) - len(running)
        stage.workers[:] = list(running.values())
        return f"{len(blows)} blows, {restarts} workers restarted; " + stage.finish(
            *running.values(), codes=_GIVEN_UP | {ExitCode.OK}
        )
    finally:
        stage.close()


def _supervise(stage: Stage, running: dict[str, Worker], settings: dict[str, Any]) -> None:
    """Start again who has given up, as a supervisor would; only some reasons are good ones."""
    for name, worker in running.items():
        code = worker.process.poll()
        if code is not None:
            assert code in _GIVEN_UP, f"ended with {code}:\n{worker.log.read_text()[-3000:]}"
            running[name] = stage.start(name, **settings)


def _signal(kafka: LocalKafka, number: signal.Signals) -> None:
    os.kill(kafka.pid, number)
