"""THE list of topics: what each is for, what lies in it, and how the broker should keep it.

Tables have changelog topics besides; those are the engine's.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any

from msgspec import Struct

from streams.dunning import commands, events, offer_leases
from streams.messages.errors import UnknownTopicError
from streams.messages.policy_change import PolicyChange
from streams.messages.schemas import Schema, present_schema

DEFAULT_PARTITIONS = 8
"""All topics have the same number of partitions: one worker owns partition p of every input.

Eight feed eight workers, and are little enough for one machine; it cannot be lowered later, and raising it
moves customers to other partitions, away from their state.
"""

_DAY_MS = 24 * 60 * 60 * 1000
_RETENTION_OF_INPUTS_MS = 35 * _DAY_MS
ERASURE_LAG_MS = 7 * _DAY_MS
"""So long after a tombstone, at most, the broker begins to drop what was written before it. Without a limit
the last records of a quiet partition would stay for ever; the law gives a month (GDPR, article 12)."""
_UNLIMITED = -1
_LONGEST_MS = 2**63 - 1
_BROKER_DEFAULT_AHEAD_MS = 60 * 60 * 1000


class Direction(StrEnum):
    """Who writes a topic, and who reads it."""

    INPUT = "input"
    """Written by others, read by the engine."""
    INTERNAL = "internal"
    """Written and read by the engine."""
    CONTROL = "control"
    """Written by the commands of whoever runs the engine, read by the engine."""
    OUTPUT = "output"
    """Written by the engine, read by others."""
    DEAD_LETTERS = "dead_letters"
    """Written by the engine, read by people."""


class Cleanup(StrEnum):
    """What the broker does with old records (its setting `cleanup.policy`)."""

    DELETE = "delete"
    COMPACT = "compact"


class Topic(Struct, frozen=True, kw_only=True, dict=True):
    """One topic.

    Attributes:
        name: its name; the schema's file has the same.
        kind: the topic's middle word: the `type` in a history, and the tag of its struct.
        direction: who writes and reads it.
        struct: what lies in it; `None` where records of any kind lie in it unchanged.
        purpose: what it says, in a sentence.
        key: what the key is.
        cleanup: what the broker does with old records.
        retention_ms: how long records stay, by their own timestamps; -1 for ever.
        retention_reason: why so long.
        compaction_lag_ms: with compaction, so long every record stays, by its own timestamp.
        erasable: a record without a value erases its key; it stays itself as long as the inputs, so that
            whoever reads them once more meets it, too.
    """

    name: str
    kind: str
    direction: Direction
    struct: type[Struct] | None
    purpose: str
    key: str = "`customer_id` in UTF-8"
    cleanup: Cleanup = Cleanup.DELETE
    retention_ms: int = _RETENTION_OF_INPUTS_MS
    retention_reason: str = (
        "an outage of two weeks, and as much again to find a mistake and read the inputs once more"
    )
    compaction_lag_ms: int = 0
    erasable: bool = False
    partitions: int = DEFAULT_PARTITIONS

    @cached_property
    def schema(self) -> Schema | None:
        """The present Avro schema; `None` where there is none.

        Raises:
            SchemaError: its file is missing or wrong.
        """
        return None if self.struct is None else present_schema(self.name)


def _input(name: str, struct: type[Struct], purpose: str, **more: Any) -> Topic:
    kind = name.split(".")[1]
    return Topic(name=name, kind=kind, direction=Direction.INPUT, struct=struct, purpose=purpose, **more)


def _output(name: str, struct: type[Struct], purpose: str, retention_ms: int, reason: str) -> Topic:
    return Topic(
        name=name,
        kind=name.split(".")[1],
        direction=Direction.OUTPUT,
        struct=struct,
        purpose=purpose,
        retention_ms=retention_ms,
        retention_reason=reason,
    )


TOPICS: tuple[Topic, ...] = (
    _input(
        "billing.payment-failed.v1", events.PaymentFailed, "An attempt to collect an invoice was declined."
    ),
    _input("billing.card-expiring.v1", events.CardExpiring, "A card on file ends soon."),
    _input("billing.renewal-upcoming.v1", events.RenewalUpcoming, "A subscription will renew."),
    _input(
        "billing.payment-recovered.v1",
        events.PaymentRecovered,
        "An invoice was paid, by whatever means; also on time, without ever having failed.",
    ),
    _input("billing.card-updated.v1", events.CardUpdated, "The card on file was replaced."),
    _input(
        "billing.subscription-cancelled.v1",
        events.SubscriptionCancelled,
        "A subscription has ended for good.",
    ),
    _input(
        "billing.subscription-changed.v1",
        events.SubscriptionChanged,
        "A subscription's plan changed, or it was paused or resumed.",
    ),
    _input(
        "billing.invoice-closed.v1",
        events.InvoiceClosed,
        "An invoice is no longer to be collected or, with `dispute_won`, is so again.",
    ),
    _input(
        "billing.payment-reversed.v1",
        events.PaymentReversed,
        "A payment that had been made was taken back.",
    ),
    _input(
        "crm.customer-profile.v1",
        events.CustomerProfile,
        "Who a customer is and how they may be reached; each profile replaces the one before. A null value "
        "erases the customer: what the engine keeps of them is dropped.",
        erasable=True,
        cleanup=Cleanup.COMPACT,
        retention_ms=_UNLIMITED,
        retention_reason=(
            "a new deployment needs the last profile of every customer, however old, and no other"
        ),
    ),
    _input(
        "notifications.feedback.v1", events.Feedback, "What a notification service reports about a command."
    ),
    Topic(
        name="dunning.tick.v1",
        kind="tick",
        direction=Direction.INTERNAL,
        struct=events.Tick,
        purpose="Moves a partition's clock; one record per partition and tick.",
        key="none; the partition is chosen by the sender",
        retention_reason="as the inputs, so that a position in it never falls out of the log before theirs",
    ),
    Topic(
        name="dunning.offer-lease.v1",
        kind="offer-lease",
        direction=Direction.INTERNAL,
        struct=offer_leases.LeaseMessage,
        purpose="Shares of offers' totals: partitions ask for them, and each offer's keeper grants them.",
        key="the offer's name: to its keeper by that, to other partitions as the sender chooses",
        retention_reason="as the inputs, so that a position in it never falls out of the log before theirs",
    ),
    Topic(
        name="dunning.policy.v1",
        kind="policy",
        direction=Direction.CONTROL,
        struct=PolicyChange,
        purpose="The policies that decide, the same in every partition; `dunning policy publish` writes it.",
        key="the version; of a migration `migrate-`, its number and the part's",
        cleanup=Cleanup.COMPACT,
        retention_ms=_UNLIMITED,
        retention_reason="a version must stay readable as long as a case holds it, and the last one decides",
        compaction_lag_ms=_RETENTION_OF_INPUTS_MS,
    ),
    _output(
        "dunning.notification-command.v1",
        commands.NotificationCommand,
        "Asks a notification service to contact a customer.",
        14 * _DAY_MS,
        "a command is void at `expires_at`, and a service that was down longer must not send it",
    ),
    _output(
        "dunning.account-command.v1",
        commands.AccountCommand,
        "Asks for a subscription to be suspended, reactivated or looked at.",
        35 * _DAY_MS,
        "a suspension or reactivation stays true until it is carried out",
    ),
    _output(
        "dunning.decision.v1",
        commands.DecisionRecord,
        "The reason for everything sent and everything not sent.",
        400 * _DAY_MS,
        "a question about a case may come a year after it, with the yearly renewal",
    ),
    Topic(
        name="dunning.dlq.v1",
        kind="dlq",
        direction=Direction.DEAD_LETTERS,
        struct=None,
        purpose="Records that cannot be used, unchanged, with the reason and the origin in headers.",
        key="as it came; may be null",
        retention_reason=(
            "time to mend and send again; not for ever, since a record may be here for a card number"
        ),
    ),
)
"""Every topic, inputs first."""

INPUTS: tuple[Topic, ...] = tuple(topic for topic in TOPICS if topic.direction is Direction.INPUT)
"""What others write for the engine; without ticks."""

OUTPUTS: tuple[Topic, ...] = tuple(topic for topic in TOPICS if topic.direction is Direction.OUTPUT)
"""What the engine writes for others; without dead letters."""

TICKS: Topic = next(topic for topic in TOPICS if topic.struct is events.Tick)
LEASES: Topic = next(topic for topic in TOPICS if topic.struct is offer_leases.LeaseMessage)
PROFILES: Topic = next(topic for topic in TOPICS if topic.erasable)
POLICIES: Topic = next(topic for topic in TOPICS if topic.direction is Direction.CONTROL)
DEAD_LETTERS: Topic = next(topic for topic in TOPICS if topic.direction is Direction.DEAD_LETTERS)

_BY_NAME: Mapping[str, Topic] = {topic.name: topic for topic in TOPICS}
_BY_KIND: Mapping[str, Topic] = {topic.kind: topic for topic in TOPICS}
_BY_STRUCT: Mapping[type, Topic] = {topic.struct: topic for topic in TOPICS if topic.struct is not None}


def subject_of(topic: Topic) -> str:
    """Give the name under which a registry holds the schema of a topic's values (TopicNameStrategy)."""
    return f"{topic.name}-value"


def topic_named(name: str) -> Topic:
    """Find a topic by its name.

    Raises:
        UnknownTopicError: there is none.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UnknownTopicError(name, ", ".join(_BY_NAME)) from None


def topic_of_kind(kind: str) -> Topic:
    """Find a topic by its middle word.

    Raises:
        UnknownTopicError: there is none.
    """
    try:
        return _BY_KIND[kind]
    except KeyError:
        raise UnknownTopicError(kind, ", ".join(_BY_KIND)) from None


def topic_of(message: Struct) -> Topic:
    """Find the topic that a message belongs to.

    Raises:
        UnknownTopicError: it belongs to none.
    """
    try:
        return _BY_STRUCT[type(message)]
    except KeyError:
        raise UnknownTopicError(type(message).__name__, ", ".join(_BY_KIND)) from None


def topic_config(topic: Topic, *, virtual_time: bool) -> dict[str, str]:
    """Give the settings that the broker should have for a topic.

    Records carry the time at which they happened (`CreateTime`). With `virtual_time`, which demonstrations
    and tests use, those times may be months ahead of or behind the broker's clock, so that

    - retention, which goes by record timestamps, must be off, or records would be deleted at once;
    - `message.timestamp.after.max.ms` (one hour by default since Kafka 4.0, KIP-1030) must be lifted, or
      records ahead of the broker's clock would be refused, and its counterpart must not be lowered;
    - segments must not be rolled by time, or months that pass in a minute would leave hundreds of them.
    """
    config = {
        "cleanup.policy": topic.cleanup.value,
        "message.timestamp.type": "CreateTime",
        "retention.ms": str(_UNLIMITED if virtual_time else topic.retention_ms),
        "message.timestamp.after.max.ms": str(_LONGEST_MS if virtual_time else _BROKER_DEFAULT_AHEAD_MS),
        "message.timestamp.before.max.ms": str(_LONGEST_MS),
    }
    if topic.compaction_lag_ms:
        config["min.compaction.lag.ms"] = str(_LONGEST_MS if virtual_time else topic.compaction_lag_ms)
    if topic.cleanup is Cleanup.COMPACT and not virtual_time:
        config["max.compaction.lag.ms"] = str(topic.compaction_lag_ms + ERASURE_LAG_MS)
    if topic.erasable and not virtual_time:
        config["delete.retention.ms"] = str(_RETENTION_OF_INPUTS_MS)
    if virtual_time:
        config["segment.ms"] = str(_LONGEST_MS)
    return config
