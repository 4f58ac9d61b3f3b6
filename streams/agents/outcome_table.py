"""The table of outcomes: what was counted in each partition, by group."""

from streams.dunning.measures import About, Counts, Group
from streams.dunning.outcome_bytes import decode_counts, decode_group, encode_counts, encode_group
from streams.engine import App, Codec, Table
from streams.messages.tables import OUTCOMES
from streams.ops.metrics import PartitionFacts

__all__ = ["MOST_GROUPS", "OutcomeTable"]

MOST_GROUPS = 20_000
"""Groups of a partition. What a policy can make is the product of its campaigns, steps, channels, templates,
segments, arms and the customers' locales: some hundreds for each locale with the shipped one. Profiles say
the locales, so nothing else bounds them. At half a KiB a group this is 10 MiB a partition."""

_BEYOND = Group(About.OTHER)


class OutcomeTable:
    """Counts that survive restarts and count each input once, for they are written in its round.

    Args:
        app: the table is its.

    Attributes:
        most_groups: of a partition; what comes after them is counted together, as `other`.
    """

    def __init__(self, app: App) -> None:
        self._table: Table[dict[str, int]] = app.Table(
            OUTCOMES,
            codec=Codec(encode_counts, decode_counts, encode_key=encode_group, decode_key=decode_group),
        )
        self.most_groups = MOST_GROUPS

    def keep(self, counts: Counts, facts: PartitionFacts) -> PartitionFacts:
        """Add what a batch has counted; the facts of the partition with the number of its groups.

        Each group is read and written once, whatever a batch has counted of it.
        """
        if not counts:
            return facts
        here, groups = self._table.here(), facts.outcome_groups
        for group, added in counts.items():
            known: dict[str, int] | None = here.get(group)
            key = group
            if known is None and groups >= self.most_groups:
                key = _BEYOND
                known = here.get(key)
            if known is None:
                groups += 1
            kept = {} if known is None else dict(known)
            for measure, amount in added.items():
                kept[measure] = kept.get(measure, 0) + amount
            here[key] = kept
        return facts._replace(outcome_groups=groups)
