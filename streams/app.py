"""The composition root: settings become a Faust app with its agents, tables and metrics."""

from datetime import timedelta
from importlib.metadata import version

from streams.agents.customers import consume_events
from streams.agents.desk import Desk, from_micros
from streams.agents.rejects import Rejects
from streams.agents.ticks import consume_ticks
from streams.dunning.events import Tick
from streams.engine import App, Observer, create_app
from streams.messages.codec import Decoder, Encoder
from streams.messages.dead_letters import DeadLetterLimit
from streams.messages.topics import DEAD_LETTERS, TICKS
from streams.messages.validation import Limits
from streams.ops.metrics import Metrics
from streams.policy import LoadedPolicy, load
from streams.settings import Settings


class WorkerMetrics(Metrics, Observer):
    """The metrics, told by the engine what happens."""


def build_app(
    settings: Settings, *, policy: LoadedPolicy | None = None, metrics: WorkerMetrics | None = None
) -> App:
    """A worker's Faust app; it starts nothing.

    Args:
        settings: where Kafka is, and how to work.
        policy: what to decide by; loaded from `settings.policy` unless given.
        metrics: counts what happens; its own unless given.

    Raises:
        PolicyError: the policy cannot be used.
        ConfigurationError: the engine refuses the settings.
    """
    policy = policy or load(settings.policy)
    metrics = metrics or WorkerMetrics(version=version("dunning-streams"))
    encoder = Encoder()
    rejects = Rejects(
        settings.topic(DEAD_LETTERS.name),
        DeadLetterLimit(
            window=settings.bad_record_window,
            highest_share=settings.bad_record_share,
            minimum=settings.bad_record_minimum,
        ),
    )
    app = create_app(
        settings.engine(TICKS.name),
        observer=metrics,
        poison=rejects.poison,
        tick=lambda micros: encoder.encode(Tick(now=from_micros(micros))),
    )
    limits = Limits(
        ahead=timedelta(seconds=settings.occurred_ahead_seconds),
        behind=timedelta(days=settings.occurred_before_days),
    )
    desk = Desk(
        app,
        policy,
        prefix=settings.topic_prefix,
        decoder=Decoder(limits=limits),
        encoder=encoder,
        rejects=rejects,
        metrics=metrics,
    )
    consume_events(app, desk)
    consume_ticks(app, desk)
    return app
