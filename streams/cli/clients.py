"""Kafka clients as commands make them from the settings."""

from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from streams.cli.errors import CommandError
from streams.cli.exit_codes import ExitCode
from streams.engine.librdkafka import REFUSED_CONNECTION
from streams.messages.codec import Encoder
from streams.messages.topics import Topic
from streams.settings import Settings, SettingsError, load_settings

WHERE_KAFKA_IS = "DUNNING_BOOTSTRAP_SERVERS says where it is; `dunning kafka start` starts a local one."
CONNECT_SECONDS = 10.0
"""How long a command waits for a broker that does not answer."""


def command_settings(**overrides: Any) -> Settings:
    """The settings of the environment.

    Raises:
        CommandError: Some are wrong; all of them are named.
    """
    try:
        return load_settings(**overrides)
    except SettingsError as error:
        raise CommandError("\n".join(error.problems), ExitCode.SETTINGS) from error


def client_properties(settings: Settings) -> dict[str, Any]:
    """What every client of a command is given."""
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        # The command tells by itself what went wrong; librdkafka would repeat it many times.
        "log_level": 0,
        **settings.kafka_properties,
    }


def command_encoder(settings: Settings, topics: Iterable[Topic]) -> Encoder:
    """What writes values of these topics: with a registry's schemas if there is one, else with our own.

    Raises:
        CommandError: one of them is not registered.
        RegistryError: the registry does not answer.
    """
    encoder = Encoder(ids=settings.registry())
    try:
        encoder.look_up(topics)
    except LookupError as error:
        raise CommandError(
            f"a schema is not registered ({error}); `dunning schemas check` says which", ExitCode.REGISTRY
        ) from error
    return encoder


def connect(settings: Settings) -> AdminClient:
    """An administrator of the brokers that the settings name.

    Raises:
        CommandError: They do not answer.
    """
    # Why it lets nobody in is told aside; the request only says that it got no answer.
    refusals: list[KafkaError] = []
    properties: dict[str, Any] = {**client_properties(settings), "error_cb": refusals.append}
    admin = AdminClient(properties)
    try:
        admin.list_topics(timeout=CONNECT_SECONDS)
    except KafkaException as error:
        admin.poll(0)
        refusal = next((each for each in refusals if each.code() in REFUSED_CONNECTION), None)
        if refusal is not None:
            raise CommandError(
                f"Kafka at {settings.bootstrap_servers} lets nobody in who comes so: {refusal.str()}. "
                "DUNNING_SECURITY_PROTOCOL, DUNNING_SASL_* and DUNNING_SSL_* say how to come",
                ExitCode.BROKER,
            ) from error
        raise CommandError(
            f"no Kafka answers at {settings.bootstrap_servers} ({error.args[0].str()}). {WHERE_KAFKA_IS}",
            ExitCode.BROKER,
        ) from error
    return admin
