"""What each release has kept is read by this one, says the same, and is decided on.

A file `RELEASE.xz` is what `python -m tests.released.write RELEASE` wrote when that release was made. If a
test fails, do not write the file anew, mend the code: workers in the field hold such bytes. A struct that is
an array says its fields by their places, so one that was put in the middle, moved or removed shifts all that
follow. Put it at the end, with a default, and leave in place what is no longer used. A field whose meaning or
type changes is a new field; the old one is read into it.
"""

import lzma
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.dunning import decide
from streams.dunning.events import Tick
from streams.dunning.outcome_bytes import decode_counts, decode_group, encode_group
from streams.dunning.state_bytes import decode_state, encode_state
from streams.ops.metrics import PartitionFacts
from streams.policy.versions import unpack

from .fields import said

HERE = Path(__file__).parent
RELEASES = sorted(path.stem for path in HERE.glob("*.xz"))
each_release = pytest.mark.parametrize("release", RELEASES)

_UNTIL_QUIET = timedelta(days=500)
"""By then a case is through, and the customer is forgotten but for the profile."""


@cache
def kept(release: str) -> dict[str, Any]:
    rows: dict[str, Any] = msgspec.msgpack.decode(lzma.decompress((HERE / f"{release}.xz").read_bytes()))
    return rows


def assert_says(now: Any, then: Any, path: str) -> None:
    """All that was said then is said now; more may be, by fields of a later release."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name, part in then.items():
            assert name in now, f"{path}.{name} is lost: see the top of this file"
            assert_says(now[name], part, f"{path}.{name}")
    elif isinstance(then, list) and isinstance(now, list):
        assert len(now) >= len(then), path
        for place, part in enumerate(then):
            assert_says(now[place], part, f"{path}[{place}]")
    else:
        assert now == then, f"{path} says something else: see the top of this file"


def plain(value: Any) -> Any:
    """As it comes out of MessagePack."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(said(value)))


def test_there_is_a_release() -> None:
    assert RELEASES


@each_release
def test_customers_say_what_they_said(release: str) -> None:
    for data, then in kept(release)["customers"]:
        state = decode_state(data)
        assert_says(plain(state), then, state.customer_id)
        assert decode_state(encode_state(state)) == state


@each_release
def test_customers_are_decided_on_until_nothing_is_left_to_do(release: str) -> None:
    ((version, packed),) = kept(release)["policies"]
    policy = unpack(version, packed).policy
    for data, _ in kept(release)["customers"]:
        state = decode_state(data)
        end, forgotten = state.clock + _UNTIL_QUIET, False
        while not forgotten and state.due is not None and state.due <= end:
            clock = max(state.due, state.clock)
            decision = decide(state, Tick(clock), clock, policy)
            state, forgotten = decision.state, decision.forgotten
            assert forgotten or state.due is None or state.due > clock


@each_release
def test_partitions_say_what_they_said(release: str) -> None:
    for data, then in kept(release)["partitions"]:
        facts = msgspec.msgpack.decode(data, type=PartitionFacts)
        assert_says(plain(facts), then, "partition")


@each_release
def test_outcomes_are_found_under_the_same_key(release: str) -> None:
    for key, then, data, measures in kept(release)["outcomes"]:
        group = decode_group(key)
        assert_says(plain(group), then, "group")
        # A key is looked for by its bytes: another spelling of a group would begin to count anew.
        assert encode_group(group) == key
        assert decode_counts(data) == measures


@each_release
def test_policies_are_found_under_their_version(release: str) -> None:
    for version, packed in kept(release)["policies"]:
        policy = unpack(version, packed)
        assert policy.version == version
        assert policy.policy.campaigns["standard"].ladder
