"""Workers come, go, stand still and take long to begin."""

import signal
import time
from typing import Any

from streams.dunning.events import PaymentFailed
from streams.engine import ExitCode
from streams.messages.history import Arrival
from tests.app.harness import wait_for
from tests.app.histories import START

from .broken_worker import POISONOUS
from .deaths import pause
from .stage import Stage

__all__ = ["a_slow_restore", "a_zombie", "coming_and_going", "poison"]


def a_zombie(stage: Stage) -> str:
    """SIGSTOP beyond the session, another takes over, SIGCONT: fenced, and nothing of its own lands."""
    stage.plan(customers=100)
    stage.feed(0.5)
    zombie = stage.start("0")
    stage.wait_until_committed(200)
    zombie.process.send_signal(signal.SIGSTOP)
    other = stage.start("1")
    # Stopped within a commit it holds the others up until its transaction times out.
    stage.wait_until_done(90)
    zombie.process.send_signal(signal.SIGCONT)
    stage.wait_for_death(zombie, ExitCode.FENCED)
    return "fenced with exit code 81; " + stage.finish(other)


def coming_and_going(stage: Stage) -> str:
    """Workers join and leave under load, dynamic members, each of which has all inputs of its partitions."""
    turns = 4 * stage.scale
    stage.plan(customers=60 * turns)
    settings: dict[str, Any] = {"static_membership": "false", "max_records": 25}
    running = {"0": stage.start("0", **settings)}
    for turn in range(turns):
        stage.feed(1 / (turns - turn + 1))
        pause(stage, 0.5, 2.5)
        if len(running) == 1 or (len(running) < 3 and stage.chance.random() < 0.5):
            name = next(each for each in "012" if each not in running)
            running[name] = stage.start(name, **settings)
        else:
            leaver = running.pop(stage.chance.choice(sorted(running)))
            leaver.process.terminate()
            stage.wait_for_death(leaver, ExitCode.OK)
        stage.check_assignment(len(running))
    return f"{turns} changes of the group; " + stage.finish(*running.values())


def poison(stage: Stage) -> str:
    """Records that nobody can decide, among good ones, while workers are killed, come and go."""
    turns, bad = 4 * stage.scale, 3
    stage.plan(customers=40 * turns)
    settings: dict[str, Any] = {"static_membership": "false", "breaks": "poison:1"}
    running = {name: stage.start(name, **settings) for name in "01"}
    for turn in range(turns):
        stage.feed(1 / (turns - turn + 1))
        for number in range(bad):
            stage.publish([_undecidable(f"{POISONOUS.decode()}{turn}-{number}")])
        pause(stage, 0.3, 2.5)
        name = stage.chance.choice(sorted(running))
        gone = running.pop(name)
        if stage.chance.random() < 0.5:
            gone.kill()
        else:
            gone.process.terminate()
            # One that has hardly begun does not listen to signals yet.
            assert gone.wait(75) in {ExitCode.OK, -signal.SIGTERM}
        stage.workers.remove(gone)
        running[name] = stage.start(name, **settings)
    told = stage.finish(*running.values(), put_aside=turns * bad)
    return f"{turns * bad} records put aside over {turns} deaths; {told}"


def _undecidable(customer_id: str) -> Arrival:
    failed = PaymentFailed(
        event_id=customer_id,
        occurred_at=START,
        customer_id=customer_id,
        invoice_id="i",
        amount_minor=900,
        currency="USD",
    )
    return Arrival(START, failed)


def a_slow_restore(stage: Stage) -> str:
    """One partition restores for longer than `max.poll.interval.ms`: membership is kept, the others go on."""
    stage.plan(customers=40 * stage.scale)
    stage.feed(0.5)
    first = stage.start(store="memory")
    stage.wait_until_done()
    first.kill()
    stage.workers.clear()
    stage.feed()
    began = time.monotonic()
    slow = stage.start(store="memory", breaks="slow_restore:14")
    wait_for(lambda: _behind(stage) == {0}, "all partitions but the slow one are done", 13)
    others = time.monotonic() - began
    stage.wait_until_done()
    seconds = time.monotonic() - began
    assert seconds > 13, "partition 0 was held back"
    told = slow.log.read_text()
    assert "MAXPOLL" not in told, "the membership was lost"
    return f"others done after {others:.0f} s, all after {seconds:.0f} s; " + stage.finish(slow)


def _behind(stage: Stage) -> set[int]:
    return {number for number, lag in stage.lag_by_partition().items() if lag}
