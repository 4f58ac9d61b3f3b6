"""Write down what this release keeps, for the releases after it: `python -m tests.released.write 0.1.0`.

Once for each release, when it is made; what is written then is never written anew.
"""

import lzma
import sys
from pathlib import Path
from typing import Any

import msgspec

from streams.dunning.measures import Counts
from streams.dunning.outcome_bytes import encode_counts, encode_group
from streams.dunning.state import CustomerState
from streams.dunning.state_bytes import encode_state
from streams.ops.facts import NO_CASES, move_cases
from streams.ops.metrics import PartitionFacts
from streams.policy import load
from streams.policy.versions import pack

from .fields import FieldName, all_fields, said, shown
from .history import lives

CUSTOMERS = 400
_MOST_BYTES = 50_000
_MOST_GROUPS = 24

OF_EARLIER_RELEASES: set[FieldName] = {
    ("CustomerState", "cancelled_subscriptions"),
    ("CustomerState", "card_update"),
}
"""Fields that nothing writes any more."""


def rows() -> dict[str, Any]:
    """A row of each kind with what it says, from states that together show every field.

    Raises:
        SystemExit: a field is shown by none of them.
    """
    policy = load(Path(__file__).with_name("policy.yaml"))
    counts: Counts = {}
    wanted = all_fields(CustomerState) - OF_EARLIER_RELEASES
    kept: list[CustomerState] = []
    for state in lives(policy.policy, CUSTOMERS, counts):
        new = wanted.intersection(shown(state))
        if new:
            kept.append(state)
            wanted -= new
            if not wanted:
                break
    else:
        names = ", ".join(f"{struct}.{field}" for struct, field in sorted(wanted))
        sys.exit(f"no customer of tests/released/history.py shows {names}: let happen there what sets it")
    for state in sorted(kept, key=lambda each: -len(encode_state(each))):
        others = [set(shown(each)) for each in kept if each is not state]
        if set(shown(state)) <= set().union(*others):  # little is kept of each release
            kept.remove(state)
    cases = NO_CASES
    for state in kept:
        cases = move_cases(cases, None, state)
    facts = PartitionFacts(
        clock=max(state.clock for state in kept),
        cases=cases,
        policy_number=3,
        policy_versions=(policy.version,),
        outcome_groups=len(counts),
    )
    groups = sorted(counts.items(), key=lambda each: encode_group(each[0]))
    step = max(1, len(groups) // _MOST_GROUPS)
    return {
        "customers": [(encode_state(state), said(state)) for state in kept],
        "partitions": [(msgspec.msgpack.encode(facts), said(facts))],
        "outcomes": [
            (encode_group(group), said(group), encode_counts(measures), measures)
            for group, measures in groups[::step]
        ],
        "policies": [(policy.version, pack(policy))],
    }


def main(release: str) -> None:
    """Write the release's file."""
    path = Path(__file__).with_name(f"{release}.xz")
    if path.exists():
        sys.exit(f"{path} is there: what a release wrote does not change")
    data = lzma.compress(msgspec.msgpack.encode(rows()), preset=9)
    if len(data) > _MOST_BYTES:
        sys.exit(f"{len(data)} bytes are too many to keep of each release (at most {_MOST_BYTES})")
    path.write_bytes(data)
    print(f"{path}: {len(data)} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
