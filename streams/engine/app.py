"""The application: a Faust app whose consumer, tables and agents are the engine's."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import faust

from streams.engine.agents import Agent, Stream
from streams.engine.codec import Codec
from streams.engine.engine import Engine
from streams.engine.errors import ConfigurationError, FatalError
from streams.engine.faust_internals import SCHEME, register_transport
from streams.engine.observer import Observer
from streams.engine.progress import Progress
from streams.engine.record import Output, Record
from streams.engine.rounds import PoisonHandler
from streams.engine.settings import EngineSettings
from streams.engine.tables import Table, TableManager
from streams.engine.ticks import TickEncoder
from streams.engine.transport import LeaderAssignor

__all__ = ["App", "create_app", "stop_on_poison"]

V = TypeVar("V")


class App(faust.App):
    """A Faust app that runs in rounds; make one with `create_app`."""

    engine: Engine
    settings: EngineSettings

    @property
    def progress(self) -> Progress:
        """Facts about the engine's health."""
        return self.engine.progress

    def Table(  # type: ignore[override]  # noqa: N802 - Faust's name
        self,
        name: str,
        *,
        codec: Codec[V],
        due: Callable[[V], int | None] | None = None,
        **options: Any,
    ) -> Table[V]:
        """Define a table.

        Args:
            name: unique in the application; part of the changelog's name.
            codec: values and keys to bytes and back.
            due: when a value is due (any integer time), a pure function of the value; ``None`` if it is not.
            options: ``default`` and ``help``, as in Faust.
        """
        table: Table[V] = super().Table(  # type: ignore[assignment]
            name,
            codec=codec,
            due=due,
            changelog=self.settings.changelog(name),
            tables=self.engine.tables,
            **options,
        )
        return table

    async def on_stop(self) -> None:
        """Finish the round and leave the group before Faust takes the agents away."""
        await self.engine.stop()
        await super().on_stop()


def stop_on_poison(record: Record, error: BaseException) -> Iterable[Output]:
    """The default poison handler: ends the process, for nobody said where such records go.

    Raises:
        FatalError: always.
    """
    raise FatalError(
        f"{record.topic}[{record.partition}] offset {record.offset} cannot be processed: {error!r}; give "
        "create_app a poison handler that says where such records go"
    ) from error


def create_app(
    settings: EngineSettings,
    *,
    observer: Observer | None = None,
    poison: PoisonHandler = stop_on_poison,
    tick: TickEncoder | None = None,
    **options: Any,
) -> App:
    """A Faust app on the engine.

    Args:
        settings: of the engine.
        observer: is told what happens; nobody by default.
        poison: ``(record, error) -> outputs``: what to send in place of a record that failed ``max_attempts``
            times alone. It is committed with the record's offset. By default the process ends.
        tick: epoch microseconds to a tick's value; without it this worker sends no ticks.
        options: more of Faust's settings, such as ``autodiscover``.

    Raises:
        ConfigurationError: Faust's web server was asked for.
    """
    if options.get("web_enabled"):
        raise ConfigurationError(
            "web_enabled is set: Faust's web server shows what the tables hold to whoever asks; serve what "
            "may be seen by a server of your own"
        )
    register_transport()
    app = App(
        settings.application_id,
        **{
            "broker": f"{SCHEME}://",
            # The settings of the engine say where the brokers are; Faust never connects by itself.
            "autodiscover": False,
            "topic_allow_declare": False,
            "topic_disable_leader": True,
            "web_enabled": False,
            "datadir": str(Path(settings.data_directory)),
            "agent_supervisor": "mode.OneForOneSupervisor",
            "Agent": Agent,
            "Stream": Stream,
            "Table": Table,
            "TableManager": TableManager,
            "LeaderAssignor": LeaderAssignor,
            **options,
        },
    )
    app.settings = settings
    app.engine = Engine(app, settings, observer=observer or Observer(), poison=poison, tick=tick)
    return app
