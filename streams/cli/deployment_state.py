"""What a deployment has committed, read from its changelogs: customers, partitions, policies."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from confluent_kafka import Message
from msgspec import Struct

from streams.cli.clients import client_properties
from streams.cli.errors import CommandError
from streams.dunning.state import CustomerState
from streams.dunning.state_bytes import decode_state
from streams.engine.codec import open_envelope
from streams.lab.outputs import OutputReader
from streams.messages.instants import EPOCH
from streams.messages.tables import CUSTOMERS, PARTITIONS, POLICIES
from streams.ops.metrics import PartitionFacts
from streams.policy import LoadedPolicy, PolicyError
from streams.policy.versions import unpack
from streams.settings import Settings

_FETCH_WAIT_SECONDS = 0.05
_FACTS = msgspec.msgpack.Decoder(PartitionFacts)


class Holder(Struct, frozen=True):
    """A customer with open cases, and the partition that they are in."""

    partition: int
    state: CustomerState


class DeploymentState(Struct, frozen=True):
    """All that is committed of open cases and of the policies that they go by.

    Attributes:
        holders: customers with open cases, by partition and name.
        clocks: of each partition that has one (UTC).
        in_force: the version that each partition goes by.
        versions: the policies that partitions know and this release can read, by version.
    """

    holders: tuple[Holder, ...]
    clocks: dict[int, datetime]
    in_force: dict[int, str]
    versions: dict[str, LoadedPolicy]

    def clock(self, partition: int) -> datetime:
        """The partition's clock; the epoch before its first tick."""
        return self.clocks.get(partition, EPOCH)


def read_deployment(settings: Settings) -> DeploymentState:
    """Read the changelogs to their present ends, committed records only.

    Raises:
        KafkaException: there are none, for no worker has run yet, or the broker does not answer.
    """
    holders: dict[tuple[int, bytes], Holder] = {}
    for message in changelog_records(settings, CUSTOMERS):
        key, value = _key(message), message.value()
        state = None if value is None else decode_state(open_envelope(value))
        if state is not None and state.cases:
            holders[key] = Holder(key[0], state)
        else:
            holders.pop(key, None)
    facts = _facts(settings)
    return DeploymentState(
        holders=tuple(holders[key] for key in sorted(holders)),
        clocks={number: each.clock for number, each in facts.items() if each.clock is not None},
        in_force=_in_force(facts),
        versions=_versions(settings),
    )


def policy_in_force(settings: Settings) -> LoadedPolicy:
    """The policy by which most partitions decide about new cases; it needs no look at the customers.

    Raises:
        CommandError: no partition goes by one that this release can read.
        KafkaException: no worker has run yet, or the broker does not answer.
    """
    versions = _versions(settings)
    held = Counter(each for each in _in_force(_facts(settings)).values() if each in versions)
    if not held:
        raise CommandError(f"no partition of {settings.application_id} goes by a policy yet")
    return versions[held.most_common(1)[0][0]]


def _facts(settings: Settings) -> dict[int, PartitionFacts]:
    facts: dict[int, PartitionFacts] = {}
    for message in changelog_records(settings, PARTITIONS):
        if (value := message.value()) is not None:
            facts[_key(message)[0]] = _FACTS.decode(open_envelope(value))
    return facts


def _in_force(facts: Mapping[int, PartitionFacts]) -> dict[int, str]:
    return {number: each.policy_versions[-1] for number, each in facts.items() if each.policy_versions}


def _versions(settings: Settings) -> dict[str, LoadedPolicy]:
    packed: dict[tuple[int, bytes], bytes] = {}
    for message in changelog_records(settings, POLICIES):
        if (value := message.value()) is not None:
            packed[_key(message)] = open_envelope(value)
        else:
            packed.pop(_key(message), None)
    return dict(_readable({version.decode(): each for (_, version), each in packed.items()}))


def changelog_records(settings: Settings, table: str) -> Iterator[Message]:
    """What is committed of a table up to now, in each partition in order.

    Raises:
        KafkaException: there is no such changelog, for no worker has run yet, or the broker does not answer.
    """
    changelog = settings.engine("ticks").changelog(table)
    with OutputReader(
        client_properties(settings), [changelog], from_beginning=True, fetch_wait_seconds=_FETCH_WAIT_SECONDS
    ) as reader:
        yield from reader.stream_to_end()


def _key(message: Message) -> tuple[int, bytes]:
    key: Any = message.key()
    return message.partition() or 0, key


def _readable(packed: dict[str, bytes]) -> Iterator[tuple[str, LoadedPolicy]]:
    for version, document in packed.items():
        try:
            yield version, unpack(version, document)
        except PolicyError:
            continue  # what this release cannot read, its workers cannot either
