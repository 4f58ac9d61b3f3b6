"""The Faust internals that the engine leans on. Written against faust-streaming 0.15.3.

Everything that is not documented Faust is listed here, and each has a test that fails clearly when Faust
changes it (``tests/engine/test_faust_internals.py``):

==  ======================================================  ==================================================
1   ``faust.transport.drivers.TRANSPORTS.aliases``          registers the transport's scheme
2   ``Conductor`` calls ``app.consumer.subscribe(topics)``  the signal that agents and tables are known
    once agents are started and tables registered
3   ``Conductor`` iterates over the channels of agents      finds each agent's channel and its topics
4   ``Channel.queue.put_nowait``, ``Channel.__anext__``     hands a batch to an agent
5   ``faust.streams._current_event``, a context variable    ``topic.send`` finds the batch in hand by it
    with a weak reference to the event
6   ``Agent._execute_actor(coro, actor)`` runs an agent     the guard that fails a round at once when it
                                                            raises
7   ``AwaitableActor.it``, ``AsyncIterableActor.it``        is replaced when the agent's function runs
                                                            again
8   ``TableManager._tables_finalized``,                     the table manager without Faust's recovery
    ``TableManager._tables_registered``
9   ``App._stop_consumer`` asks ``consumer.assignment()``   nothing to revoke once the engine has stopped
10  ``app.flow_control`` starts suspended                   is resumed before batches are handed out
==  ======================================================  ==================================================
"""

import weakref
from typing import Any

import faust.streams
from faust.transport.drivers import TRANSPORTS
from faust.types import EventT

__all__ = ["SCHEME", "register_transport", "set_current_event"]

SCHEME = "rounds"
"""Scheme of the transport in broker URLs."""

_current_event = faust.streams._current_event  # noqa: SLF001


def register_transport() -> None:
    """Make the scheme known to Faust, installed as an entry point or not."""
    TRANSPORTS.aliases[SCHEME] = "streams.engine.transport:Transport"


def set_current_event(event: EventT[Any]) -> None:
    """Make an event the one in hand in this task."""
    _current_event.set(weakref.ref(event))
