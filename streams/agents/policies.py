"""The versions of the policy that a partition knows, and the one that it goes by.

Which policy decides is part of the partition's state, as its clock is: it changes with a record of the
partition's own log, within the round that reads the record, and never goes back to an earlier publication. So
a worker that takes the partition over, or runs a failed round again, decides by the same version; and two
partitions may go by different ones for the moment that lies between them in their logs.

Until a policy is published, a partition goes by the one in the worker's settings. Whichever it goes by is
kept in a table beside its customers, so that cases find the version they opened with when the settings or the
topic no longer have it.
"""

import logging
from collections.abc import Callable, Sequence

from streams.engine import App, Codec, ConfigurationError, Table
from streams.messages.errors import BadRecord, BadRecordCode
from streams.messages.policy_change import PolicyChange
from streams.messages.tables import POLICIES
from streams.ops.metrics import Metrics, PartitionFacts
from streams.policy import LoadedPolicy, PolicyError
from streams.policy.versions import document_of, pack, unpack

logger = logging.getLogger(__name__)

MOST_VERSIONS = 32
"""Versions that a partition knows at most; the one that decided longest ago goes first, and its cases go on
by the present one. Two years of a new policy every three weeks, while a case lives for weeks."""


class UnreadablePolicyError(ConfigurationError):
    """The policy that a partition goes by cannot be read by this release."""


class Policies:
    """The table of versions, and the policies that were made of them.

    Args:
        app: the table is its.
        configured: decides where nothing has been published.
        earlier: versions that open cases may have, from before any was kept.
        metrics: are told which policy is in force.
    """

    def __init__(
        self, app: App, configured: LoadedPolicy, earlier: Sequence[LoadedPolicy], metrics: Metrics
    ) -> None:
        self._kept: Table[bytes] = app.Table(POLICIES, codec=Codec(bytes, bytes))
        self._configured = configured
        self._earlier = tuple(earlier)
        self._metrics = metrics
        # By content, so what a round read that was then given up is right all the same.
        self._read: dict[str, LoadedPolicy | None] = {
            each.version: each for each in (*self._earlier, configured)
        }
        self._composed: dict[tuple[str, ...], LoadedPolicy] = {}
        self._reported: str | None = None

    def begin(self, facts: PartitionFacts) -> PartitionFacts:
        """The facts of the batch's partition, with a policy in force."""
        version = self._configured.version
        if facts.policy_number or facts.policy_versions[-1:] == (version,):
            return facts
        return self._enter(facts, version, lambda: pack(self._configured))

    def in_force(self, facts: PartitionFacts) -> LoadedPolicy:
        """What decides in the batch's partition, with the earlier versions that its cases may have.

        Raises:
            UnreadablePolicyError: this release cannot read it.
        """
        versions = facts.policy_versions
        composed = self._composed.get(versions)
        if composed is None:
            composed = self._composed[versions] = self._compose(versions)
        if composed.version != self._reported:
            self._reported = composed.version
            self._metrics.policy_in_force(composed.policy.name, composed.version)
        return composed

    def publish(self, facts: PartitionFacts, change: PolicyChange) -> PartitionFacts:
        """Go by a published policy from here on; one that the partition has passed changes nothing.

        Raises:
            BadRecord: its document is not what its version says.
        """
        if change.number <= facts.policy_number:
            return facts
        packed = change.document
        if packed is None:
            raise BadRecord(BadRecordCode.UNDECODABLE, "a publication without a document", field="document")
        try:
            document_of(change.version, packed)
        except PolicyError as error:
            raise BadRecord(BadRecordCode.UNDECODABLE, str(error), field="document") from error
        return self._enter(facts, change.version, lambda: packed)._replace(policy_number=change.number)

    def drop(self, facts: PartitionFacts, version: str) -> PartitionFacts:
        """Forget a version; the one in force stays."""
        if version not in facts.policy_versions[:-1]:
            return facts
        self._kept.pop(version, None)
        left = tuple(each for each in facts.policy_versions if each != version)
        return facts._replace(policy_versions=left)

    def _enter(self, facts: PartitionFacts, version: str, packed: Callable[[], bytes]) -> PartitionFacts:
        if version not in self._kept:
            self._kept[version] = packed()
        versions = (*(each for each in facts.policy_versions if each != version), version)
        for forgotten in versions[:-MOST_VERSIONS]:
            self._kept.pop(forgotten, None)
        return facts._replace(policy_versions=versions[-MOST_VERSIONS:])

    def _compose(self, versions: tuple[str, ...]) -> LoadedPolicy:
        *before, version = versions
        present = self._find(version)
        if present is None:
            raise UnreadablePolicyError(
                f"the partition goes by version {version} of the policy, which this release cannot read; was "
                "it published by a newer one? Run that, or publish a policy with this one"
            )
        return present.after(*self._earlier, *filter(None, map(self._find, before)))

    def _find(self, version: str) -> LoadedPolicy | None:
        if version not in self._read:
            packed = self._kept.get(version)
            if packed is None:
                return None
            try:
                self._read[version] = unpack(version, packed)
            except PolicyError as error:
                logger.error("cases of an earlier policy go on by the present one: %s", error)  # noqa: TRY400 - the words say it
                self._read[version] = None
        return self._read[version]
