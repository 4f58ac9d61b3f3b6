"""What must hold of the topics before a worker starts."""

from collections.abc import Mapping, Sequence

from streams.engine.clients import Cluster
from streams.engine.errors import MissingChangelogError, PartitionCountError, TopicMissingError

__all__ = ["check_inputs", "ensure_changelogs"]


def check_inputs(cluster: Cluster, topics: Sequence[str]) -> int:
    """Check that the inputs exist and can be divided among workers; returns their number of partitions.

    Raises:
        TopicMissingError: some do not exist. The engine creates none of them.
        PartitionCountError: they differ in their number of partitions.
    """
    counts = cluster.partition_counts(topics)
    missing = tuple(sorted(set(topics) - set(counts)))
    if missing:
        raise TopicMissingError(missing)
    if len(set(counts.values())) > 1:
        raise PartitionCountError(dict(counts))
    return counts[topics[0]]


def ensure_changelogs(cluster: Cluster, inputs: Sequence[str], changelogs: Sequence[str]) -> int:
    """Create changelogs that do not exist, in a group that has not begun; check those that do.

    Returns the number of partitions that the inputs and the changelogs have.

    Raises:
        MissingChangelogError: one is missing although the group has committed offsets, so state is lost.
        PartitionCountError: one differs from the inputs in its number of partitions.
    """
    partitions = check_inputs(cluster, inputs)
    counts: Mapping[str, int] = cluster.partition_counts(changelogs)
    missing = [topic for topic in changelogs if topic not in counts]
    if missing and cluster.group_has_offsets(dict.fromkeys(inputs, partitions)):
        raise MissingChangelogError(missing[0], None, "the changelog does not exist")
    for topic in missing:
        cluster.create_changelog(topic, partitions)
    unlike = {topic: count for topic, count in counts.items() if count != partitions}
    if unlike:
        raise PartitionCountError({**unlike, inputs[0]: partitions})
    return partitions
