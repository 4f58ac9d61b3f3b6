"""librdkafka: properties that all its clients share, and which of its errors means what."""

import logging
from typing import Any

from confluent_kafka import KafkaError

from streams.engine.errors import (
    BrokerError,
    ConfigurationError,
    FatalError,
    FencedError,
)
from streams.engine.settings import EngineSettings

__all__ = [
    "FATAL",
    "OTHER_GENERATION",
    "REFUSED_CONNECTION",
    "REFUSED_RECORD",
    "client_properties",
    "fatal",
    "log_error",
]

logger = logging.getLogger(__name__)

FENCED = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001 - librdkafka's local codes carry an underscore
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
    }
)
OTHER_GENERATION = frozenset(
    {KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.UNKNOWN_MEMBER_ID}
)
# A handshake may also break off with the network, so this alone ends nothing.
REFUSED_CONNECTION = frozenset(
    {
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,  # noqa: SLF001
        KafkaError._SSL,  # noqa: SLF001
    }
)
FORBIDDEN = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,  # noqa: SLF001
    }
)
REFUSED_RECORD = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_MSG,
        KafkaError.POLICY_VIOLATION,
        KafkaError._INVALID_ARG,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    }
)
UNKNOWN_TOPIC = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})  # noqa: SLF001
FATAL = FENCED | FORBIDDEN | UNKNOWN_TOPIC | {KafkaError._FATAL}  # noqa: SLF001


def log_error(error: KafkaError) -> None:
    """Log what a client reports on its own: it usually goes on by itself."""
    logger.warning("Kafka reports: %s", error)


def client_properties(settings: EngineSettings) -> dict[str, Any]:
    """What every client gets: servers, and the settings' TLS and SASL."""
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": settings.transactional_id,
        "log_level": 4,
        # When all brokers were away, librdkafka 2.16 starts anew from the bootstrap servers and drops the
        # brokers it knew; a consumer can then stand still for ever (seen with a broker killed and restarted).
        # Without that it connects again to those it knows. A cluster that moves to other addresses while
        # it is unreachable is then found by a restart only, which the watchdog brings about.
        "metadata.recovery.strategy": "none",
        # Without it a fatal error comes out of whatever call serves callbacks next; with it, out of the call
        # that meets it.
        "error_cb": log_error,
        **settings.client,
    }


def fatal(settings: EngineSettings, step: str, error: KafkaError) -> FatalError:
    """The fatal error that a client's error means."""
    code, reason = error.code(), f"{error.name()}: {error.str()}"
    # A consumer's fatal error hides the code of its cause and shows only its text.
    if code in FENCED or (code == KafkaError._FATAL and "fenced" in reason):  # noqa: SLF001
        return FencedError(settings.instance_id, reason)
    if code in FORBIDDEN | REFUSED_CONNECTION:
        return ConfigurationError(
            f"Kafka does not allow it while {step}: {reason}; check credentials, certificates and ACLs"
        )
    if code in UNKNOWN_TOPIC:
        return ConfigurationError(f"a topic is missing while {step}: {reason}; create it and start again")
    return BrokerError(step, reason)
