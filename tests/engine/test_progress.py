"""What the engine says of its progress while partitions come and go; health rests on it."""

import time
from typing import NamedTuple

import pytest

from streams.engine.clients import Poll

from .test_rounds import Broker, Engine, P

TOPICS = ("a", "b", "tick")


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def engine(broker: Broker) -> Engine:
    return Engine(broker)


class Shown(NamedTuple):
    """What is said at a moment."""

    joined: bool = True
    rebalancing: bool = False
    assigned: frozenset[int] = frozenset({0})
    ready: frozenset[int] = frozenset({0})
    started: bool = True
    settled: bool = True


NONE: frozenset[int] = frozenset()


def shown(engine: Engine) -> Shown:
    return Shown(*(getattr(engine.progress, name) for name in Shown._fields))


def moves(engine: Engine) -> bool:
    """Whether a turn is a sign of progress."""
    before = engine.progress.last_at
    time.sleep(0.001)
    engine.turn()
    return engine.progress.last_at > before


def test_before_the_group_answers_nothing_moves(broker: Broker, engine: Engine) -> None:
    broker.polls = [Poll(), Poll()]
    assert not moves(engine)
    assert shown(engine) == Shown(joined=False, assigned=NONE, ready=NONE, started=False, settled=False)


def test_it_has_started_when_all_that_it_holds_is_ready(
    broker: Broker, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(broker, "committed", lambda _partitions, _timeout: None)  # not stable yet
        engine.turn()
        assert shown(engine) == Shown(ready=NONE, started=False, settled=False)
        assert not moves(engine), "an empty poll is no progress while there is something to restore"
    time.sleep(0.06)
    engine.turn(3)
    assert shown(engine) == Shown()
    assert moves(engine), "a poll that finds nothing is, when there is nothing to do"


def test_a_rebalance_shows_until_the_group_has_answered(broker: Broker, engine: Engine) -> None:
    engine.turn(2)
    broker.polls.append(Poll(revoked=True))
    engine.turn()
    assert shown(engine) == Shown(rebalancing=True, assigned=NONE, ready=NONE)
    broker.polls.append(Poll(revoked=True, assigned=frozenset(P(topic, 0) for topic in TOPICS)))
    engine.turn(3)
    assert shown(engine) == Shown()


def test_a_worker_with_nothing_to_hold_has_started(broker: Broker, engine: Engine) -> None:
    broker.polls = [Poll(assigned=frozenset())]
    engine.turn()
    assert shown(engine) == Shown(assigned=NONE, ready=NONE)
