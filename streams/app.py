"""The composition root: settings become a Faust app with its agents, tables and metrics."""

import logging
from datetime import timedelta
from importlib.metadata import version

from streams.agents.customers import consume_events
from streams.agents.desk import Desk, from_micros
from streams.agents.policies import Policies
from streams.agents.rejects import Rejects
from streams.agents.ticks import consume_ticks
from streams.dunning.events import Tick
from streams.engine import App, Observer, create_app, run_worker
from streams.messages.codec import Decoder, Encoder
from streams.messages.dead_letters import DeadLetterLimit
from streams.messages.topics import DEAD_LETTERS, TICKS
from streams.messages.validation import Limits
from streams.ops.endpoint import Endpoint
from streams.ops.health import HealthChecks
from streams.ops.metrics import Metrics
from streams.policy import LoadedPolicy, load
from streams.settings import Settings

logger = logging.getLogger(__name__)


class WorkerMetrics(Metrics, Observer):
    """The metrics, told by the engine what happens."""


def build_app(
    settings: Settings, *, policy: LoadedPolicy | None = None, metrics: WorkerMetrics | None = None
) -> App:
    """A worker's Faust app; it starts nothing.

    Args:
        settings: where Kafka is, and how to work.
        policy: what to decide by until one is published; loaded from `settings.policy` unless given.
        metrics: counts what happens; its own unless given.

    Raises:
        PolicyError: the policy cannot be used.
        ConfigurationError: the engine refuses the settings.
    """
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
        Policies(
            app, policy or load(settings.policy), tuple(map(load, settings.earlier_policy_names)), metrics
        ),
        prefix=settings.topic_prefix,
        decoder=Decoder(limits=limits),
        encoder=encoder,
        rejects=rejects,
        metrics=metrics,
    )
    consume_events(app, desk)
    consume_ticks(app, desk)
    return app


def work(settings: Settings) -> int:
    """Run one worker, with its endpoint for metrics and health, until it is told to stop; the exit code.

    Raises:
        PolicyError: the policy cannot be used.
        ConfigurationError: the engine refuses the settings.
        EndpointError: the endpoint cannot listen where it was told to.
    """
    metrics = WorkerMetrics(version=version("dunning-streams"))
    app = build_app(settings, metrics=metrics)
    if settings.metrics_port is None:
        return run_worker(app)
    with Endpoint(
        metrics.registry,
        HealthChecks(
            app.progress,
            stuck_after_seconds=settings.stuck_after_seconds,
            # Without a heartbeat for so long the session is over; the question is asked between two looks.
            cut_off_after_seconds=settings.session_timeout_seconds + app.settings.lag_interval_seconds,
        ),
        host=settings.metrics_host,
        port=settings.metrics_port,
    ) as endpoint:
        logger.info("metrics and health at %s", endpoint.url)
        return run_worker(app)
