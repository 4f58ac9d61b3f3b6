"""The composition root: settings become a Faust app with its agents, tables and metrics."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version

from streams.agents.customers import consume_events
from streams.agents.desk import Desk
from streams.agents.policies import Policies
from streams.agents.registered import RegisteredSchemas, encoder_of
from streams.agents.rejects import Rejects
from streams.agents.rekeying import Rekeying, rekey_events
from streams.agents.ticks import consume_ticks
from streams.dunning.events import Tick
from streams.dunning.explanation import Explanation
from streams.engine import App, ConfigurationError, Observer, create_app, run_worker
from streams.lab import customer_page
from streams.lab.customer_log import Places
from streams.lab.explain import explain_customer
from streams.messages.codec import Decoder
from streams.messages.dead_letters import DeadLetterLimit
from streams.messages.instants import from_micros
from streams.messages.registry import RegistryExtraMissingError
from streams.messages.topics import DEAD_LETTERS, OUTPUTS, TICKS, topic_named
from streams.messages.validation import Limits
from streams.ops.endpoint import Endpoint
from streams.ops.health import HealthChecks
from streams.ops.metrics import Metrics
from streams.ops.pages import Guard, Page, is_loopback
from streams.ops.tracing import Tracer, TracingExtraMissingError
from streams.policy import LoadedPolicy, load
from streams.settings import Settings

logger = logging.getLogger(__name__)

_LOOK_UP_SECONDS = 20.0
"""Whoever looks at a page waits no longer."""


class WorkerMetrics(Metrics, Observer):
    """The metrics, told by the engine what happens."""


def build_app(
    settings: Settings,
    *,
    policy: LoadedPolicy | None = None,
    metrics: WorkerMetrics | None = None,
    tracer: Tracer | None = None,
) -> App:
    """A worker's Faust app; it starts nothing.

    Args:
        settings: where Kafka is, and how to work.
        policy: what to decide by until one is published; loaded from `settings.policy` unless given.
        metrics: counts what happens; its own unless given.
        tracer: makes spans of decisions; none unless given.

    Raises:
        PolicyError: the policy cannot be used.
        ConfigurationError: the engine refuses the settings, or the registry does not hold a schema.
        RegistryFailedError: the registry does not answer.
    """
    metrics = metrics or WorkerMetrics(version=version("dunning-streams"))
    registered = _registered(settings)
    encoder = encoder_of(registered, (*OUTPUTS, TICKS))
    rejects = _rejects(settings)
    app = create_app(
        settings.engine(TICKS.name),
        observer=metrics,
        poison=rejects.poison,
        tick=lambda micros: encoder.encode(Tick(now=from_micros(micros))),
    )
    desk = Desk(
        app,
        Policies(
            app, policy or load(settings.policy), tuple(map(load, settings.earlier_policy_names)), metrics
        ),
        prefix=settings.topic_prefix,
        decoder=Decoder(source=registered, limits=_limits(settings), json=settings.input_format == "json"),
        encoder=encoder,
        rejects=rejects,
        metrics=metrics,
        tracer=tracer,
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
    tracer = _tracer(settings)
    try:
        app = build_app(settings, metrics=metrics, tracer=tracer)
        return _serve(app, settings, metrics, _pages(settings))
    finally:
        if tracer is not None:
            tracer.close()


def rekey(settings: Settings, source: str) -> int:
    """Bring one topic's records to the input that it is, until told to stop; the exit code.

    Args:
        settings: `settings.rekeyed` says which input that is.
        source: the topic's name on the cluster.

    Raises:
        ConfigurationError: the engine refuses the settings, or the registry does not hold a schema.
        RegistryFailedError: the registry does not answer.
        EndpointError: the endpoint cannot listen where it was told to.
    """
    metrics = WorkerMetrics(version=version("dunning-streams"))
    return _serve(build_rekeyer(settings, source, metrics=metrics), settings, metrics, {})


def build_rekeyer(settings: Settings, source: str, *, metrics: WorkerMetrics) -> App:
    """The Faust app that re-keys one topic; it starts nothing. See `rekey`."""
    target = topic_named(settings.rekeyed[source])
    registered = _registered(settings)
    rejects = _rejects(settings)
    app = create_app(
        replace(
            settings.engine(TICKS.name),
            application_id=f"{settings.application_id}-rekey-{source}",
            store="memory",
            tick_topic=None,
            tick_interval_seconds=None,
        ),
        observer=metrics,
        poison=rejects.poison,
    )
    rekey_events(
        app,
        source,
        Rekeying(
            target=target,
            topic=settings.topic(target.name),
            decoder=Decoder(
                source=registered, limits=_limits(settings), json=settings.input_format == "json"
            ),
            encoder=encoder_of(registered, (target,)),
            rejects=rejects,
            metrics=metrics,
        ),
    )
    return app


def _serve(app: App, settings: Settings, metrics: WorkerMetrics, pages: Mapping[str, Page]) -> int:
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
        pages=pages,
    ) as endpoint:
        logger.info("metrics and health at %s", endpoint.url)
        return run_worker(app)


def _pages(settings: Settings) -> Mapping[str, Page]:
    """The page about customers, if whoever reaches the endpoint can be told from others."""
    token = None if settings.web_token is None else settings.web_token.get_secret_value()
    if token is None and not is_loopback(settings.metrics_host):
        logger.info("customers are not shown at %s: DUNNING_WEB_TOKEN is not set", settings.metrics_host)
        return {}
    places = Places(
        {"bootstrap.servers": settings.bootstrap_servers, **settings.kafka_properties},
        settings.topic,
        settings.engine(TICKS.name).changelog,
        settings.registry(),
    )

    def explain(customer_id: str, at: datetime | None) -> Explanation:
        policy = partial(load, settings.policy)
        return explain_customer(places, customer_id, policy, at=at, within_seconds=_LOOK_UP_SECONDS)

    page = customer_page.CustomerPage(explain)
    path = customer_page.PATH
    return {path: Guard(page, path=path, token=token, sign_in=customer_page.sign_in)}


def _tracer(settings: Settings) -> Tracer | None:
    try:
        return Tracer(settings.application_id) if settings.tracing else None
    except TracingExtraMissingError as error:
        raise ConfigurationError(str(error)) from error


def _limits(settings: Settings) -> Limits:
    return Limits(
        ahead=timedelta(seconds=settings.occurred_ahead_seconds),
        behind=timedelta(days=settings.occurred_before_days),
    )


def _rejects(settings: Settings) -> Rejects:
    return Rejects(
        settings.topic(DEAD_LETTERS.name),
        DeadLetterLimit(
            window=settings.bad_record_window,
            highest_share=settings.bad_record_share,
            minimum=settings.bad_record_minimum,
        ),
    )


def _registered(settings: Settings) -> RegisteredSchemas | None:
    try:
        registry = settings.registry()
    except RegistryExtraMissingError as error:
        raise ConfigurationError(str(error)) from error
    return None if registry is None else RegisteredSchemas(registry)
