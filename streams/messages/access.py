"""Who may do what on the cluster: the least that each principal needs, from the list of topics.

Kafka's own rules of implication hold: `Read` and `Write` include `Describe`. Nobody needs anything of the
cluster itself, and nobody may delete.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Self

from msgspec import Struct

from streams.messages.topics import (
    DEAD_LETTERS,
    INPUTS,
    LEASES,
    OUTPUTS,
    POLICIES,
    PROFILES,
    TICKS,
    TOPICS,
    Topic,
    topic_of_kind,
)

READER_GROUP = "dunning-reader"
"""The group that commands name when they read topics. They never join it and commit nothing."""

FEEDBACK: Topic = topic_of_kind("feedback")
COMMANDS: tuple[Topic, ...] = (topic_of_kind("notification-command"), topic_of_kind("account-command"))
"""What others carry out."""


class Principal(StrEnum):
    """Who talks to Kafka.

    Attributes:
        meaning: who it is, in words.
    """

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """Make a member from its value and its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    WORKER = "worker", "`dunning worker`."
    REKEYER = "rekeyer", "`dunning rekey`."
    PUBLISHER = "publisher", "Billing and CRM: whoever writes the inputs."
    NOTIFIER = "notifier", "Whoever carries out the commands, and reports on them."
    READER = "reader", "A person or a program that watches: `dunning tail`, `dunning policy versions`."
    OPERATOR = "operator", "A person who runs all this: topics, policies, dead letters, erasure."


class ResourceKind(StrEnum):
    """What a grant is about; the names are Strimzi's."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactionalId"


class Operation(StrEnum):
    """What may be done; Kafka's names."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"


class Grant(Struct, frozen=True):
    """Operations that a principal may do on one resource, or on all whose names begin alike.

    Attributes:
        kind: of the resource.
        name: its name, or with `is_prefix` what its name begins with.
        operations: what may be done.
        reason: what for.
        is_prefix: whether it is about all names that begin so.
    """

    kind: ResourceKind
    name: str
    operations: tuple[Operation, ...]
    reason: str
    is_prefix: bool = False


def grants(
    principal: Principal,
    *,
    application_id: str = "dunning",
    topic_prefix: str = "",
    rekeyed: Mapping[str, str] | None = None,
) -> tuple[Grant, ...]:
    """Give all that a principal needs, and nothing that it does not.

    Args:
        principal: who.
        application_id: consumer group, and prefix of changelogs and transactional ids.
        topic_prefix: goes before the name of every topic.
        rekeyed: of a rekeyer, the topics on the cluster that it reads, and the input that each becomes.
    """
    made = _GRANTS[principal](application_id)
    named = tuple(
        Grant(each.kind, topic_prefix + each.name, each.operations, each.reason)
        if each.kind is ResourceKind.TOPIC and not each.is_prefix
        else each
        for each in made
    )
    if principal is not Principal.REKEYER or rekeyed is None:
        return named
    return (*named, *_rekeyed(topic_prefix, rekeyed))


def _worker(application_id: str) -> Iterator[Grant]:
    for topic in (*INPUTS, POLICIES):
        yield _topic(topic, "its inputs", Operation.READ)
    yield _topic(TICKS, "sends the ticks that it reads", Operation.READ, Operation.WRITE)
    yield _topic(LEASES, "shares offers' totals among partitions", Operation.READ, Operation.WRITE)
    for topic in (*OUTPUTS, DEAD_LETTERS):
        yield _topic(topic, "its outputs", Operation.WRITE)
    yield _changelogs(
        application_id,
        "makes the changelogs of its tables, writes them and restores from them",
        Operation.CREATE,
        Operation.DESCRIBE_CONFIGS,
        Operation.READ,
        Operation.WRITE,
    )
    yield Grant(ResourceKind.GROUP, application_id, (Operation.READ,), "its consumer group, with its offsets")
    yield _transactions(f"{application_id}-", "one producer per instance", is_prefix=True)


def _rekeyer(application_id: str) -> Iterator[Grant]:
    yield _topic(DEAD_LETTERS, "what cannot be used", Operation.WRITE)
    name = f"{application_id}-rekey-"
    yield Grant(
        ResourceKind.GROUP,
        name,
        (Operation.READ,),
        "a consumer group per topic that it reads",
        is_prefix=True,
    )
    yield _transactions(name, "one producer per topic and instance", is_prefix=True)


def _rekeyed(topic_prefix: str, rekeyed: Mapping[str, str]) -> Iterator[Grant]:
    for source in rekeyed:
        yield Grant(ResourceKind.TOPIC, source, (Operation.READ,), "a topic as its upstream has it")
    for target in dict.fromkeys(rekeyed.values()):
        yield Grant(ResourceKind.TOPIC, topic_prefix + target, (Operation.WRITE,), "the input that it is")


def _publisher(_application_id: str) -> Iterator[Grant]:
    for topic in INPUTS:
        if topic is not FEEDBACK:
            yield _topic(topic, "what has happened to customers", Operation.WRITE)


def _notifier(application_id: str) -> Iterator[Grant]:
    for topic in COMMANDS:
        yield _topic(topic, "what is to be done", Operation.READ)
    yield _topic(FEEDBACK, "what became of it", Operation.WRITE)
    yield Grant(
        ResourceKind.GROUP,
        f"{application_id}-notifier",
        (Operation.READ,),
        "its consumer groups; name them so",
        is_prefix=True,
    )


def _reader(application_id: str) -> Iterator[Grant]:
    for topic in OUTPUTS:
        yield _topic(topic, "commands and decisions", Operation.READ)
    yield _changelogs(application_id, "the state of customers", Operation.READ)
    yield _reader_group()


def _operator(application_id: str) -> Iterator[Grant]:
    written = {
        **dict.fromkeys(INPUTS, "sends dead letters' records again"),
        DEAD_LETTERS: "marks which have been dealt with",
        POLICIES: "publishes policies",
        PROFILES: "sends dead letters' records again, writes the tombstone that erases a customer",
    }
    for topic in TOPICS:
        operations = [Operation.CREATE, Operation.DESCRIBE_CONFIGS, Operation.READ]
        reason = "makes, checks and reads the topics"
        if topic in written:
            operations.append(Operation.WRITE)
            reason += f"; {written[topic]}"
        yield _topic(topic, reason, *operations)
    yield _changelogs(
        application_id, "which cases hold which policy, what is held of a customer", Operation.READ
    )
    yield _transactions(f"{application_id}-policy", "publishes to all partitions or to none")
    yield _transactions(f"{application_id}-dlq", "sends a dead letter's record again once")
    yield _reader_group()


_GRANTS = {
    Principal.WORKER: _worker,
    Principal.REKEYER: _rekeyer,
    Principal.PUBLISHER: _publisher,
    Principal.NOTIFIER: _notifier,
    Principal.READER: _reader,
    Principal.OPERATOR: _operator,
}


def _topic(topic: Topic, reason: str, *operations: Operation) -> Grant:
    return Grant(ResourceKind.TOPIC, topic.name, operations, reason)


def _changelogs(application_id: str, reason: str, *operations: Operation) -> Grant:
    return Grant(ResourceKind.TOPIC, f"{application_id}-", operations, reason, is_prefix=True)


def _transactions(name: str, reason: str, *, is_prefix: bool = False) -> Grant:
    return Grant(ResourceKind.TRANSACTIONAL_ID, name, (Operation.WRITE,), reason, is_prefix=is_prefix)


def _reader_group() -> Grant:
    return Grant(
        ResourceKind.GROUP, READER_GROUP, (Operation.DESCRIBE,), "what Kafka's clients ask of any group"
    )
