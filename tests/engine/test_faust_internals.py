"""One test for each Faust internal that `faust_internals` lists; each says what changed."""

import asyncio
import inspect
import weakref
from typing import Any

import faust
import faust.streams
from faust.agents.actor import AsyncIterableActor, AwaitableActor
from faust.agents.agent import Agent
from faust.channels import Channel
from faust.tables.manager import TableManager
from faust.transport.conductor import Conductor
from faust.transport.drivers import TRANSPORTS
from faust.types.tuples import Message

from streams.engine import App, EngineSettings, create_app
from streams.engine.faust_internals import SCHEME, register_transport, set_current_event
from streams.engine.transport import Transport


def source(thing: Any) -> str:
    return inspect.getsource(thing)


def new_app() -> App:
    return create_app(EngineSettings(application_id="app", bootstrap_servers="localhost:1"))


def test_1_transports_are_found_by_alias() -> None:
    register_transport()
    assert TRANSPORTS.by_name(SCHEME) is Transport
    assert isinstance(new_app().transport, Transport)


def test_2_the_conductor_subscribes_when_agents_and_tables_are_known() -> None:
    text = source(Conductor)
    agents, tables, subscribe = (
        text.index("wait_until_agents_started"),
        text.index("wait_until_tables_registered"),
        text.index("consumer.subscribe("),
    )
    assert agents < tables < subscribe


def test_3_the_conductor_knows_the_agents_channels() -> None:
    async def run() -> None:
        app = new_app()

        @app.agent(app.topic("a", "b"))
        async def agent(batches: Any) -> None:
            async for _ in batches:
                pass

        agent.stream()
        (channel,) = list(app.topics)
        assert list(channel.topics) == ["a", "b"]

    asyncio.run(run())


def test_4_a_channel_is_a_queue() -> None:
    async def run() -> None:
        app = new_app()
        app.flow_control.resume()
        channel = app.channel().clone(is_iterator=True)
        event = object()
        channel.queue.put_nowait(event)
        assert await channel.__anext__() is event

    asyncio.run(run())
    assert "self.queue.get()" in source(Channel.__anext__)


def test_5_the_current_event_is_a_context_variable_with_a_weak_reference() -> None:
    async def run() -> None:
        app = new_app()
        message = Message("a", 3, 0, 0.0, 0, None, None, None, None)
        event = app.create_event(None, None, None, message)
        set_current_event(event)
        assert faust.current_event() is event
        assert isinstance(faust.streams._current_event.get(), weakref.ref)

    asyncio.run(run())


def test_6_an_agent_is_run_by_execute_actor() -> None:
    assert list(inspect.signature(Agent._execute_actor).parameters) == ["self", "coro", "aref"]
    assert "self._execute_actor(coro, aref)" in source(Agent._prepare_actor)
    assert "_current_agent.set(self)" in source(Agent._execute_actor)


def test_7_an_actor_keeps_what_it_runs() -> None:
    assert "self.it" in source(AwaitableActor)
    assert "self.it" in source(AsyncIterableActor)


def test_8_the_table_manager_says_when_tables_are_known() -> None:
    manager = new_app().tables
    assert isinstance(manager, TableManager)
    assert not manager._tables_finalized.is_set()
    assert not manager._tables_registered.is_set()
    assert "self._tables_registered" in source(TableManager.wait_until_tables_registered)


def test_9_stopping_asks_for_the_assignment_first() -> None:
    text = source(faust.App._stop_consumer)
    assert text.index("consumer.assignment()") < text.index("if assignment:")


def test_10_flow_control_starts_suspended() -> None:
    async def run() -> None:
        app = new_app()
        assert not app.flow_control.is_active()
        app.flow_control.resume()
        assert app.flow_control.is_active()

    asyncio.run(run())
