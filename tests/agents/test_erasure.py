"""A profile without a value erases its customer; and logs tell no customer's words."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streams.dunning.events import CustomerProfile, PaymentFailed
from streams.engine import Record
from streams.messages.topics import INPUTS, PROFILES
from streams.policy import load

from .partition import Partition

D0 = datetime(2026, 1, 5, 15, tzinfo=UTC)


@pytest.fixture
def partition(tmp_path: Path) -> Partition:
    made = Partition(tmp_path, load("care"))
    made.take(*(made.record(_failed(each), D0) for each in ("ada", "ben")))
    return made


def _failed(customer_id: str, at: datetime = D0) -> PaymentFailed:
    return PaymentFailed(
        event_id=f"{customer_id}-{at:%j}",
        occurred_at=at,
        customer_id=customer_id,
        invoice_id=f"i-{at:%j}",
        amount_minor=4_900,
        currency="USD",
    )


def _tombstone(key: bytes | None, topic: str = PROFILES.name) -> Record:
    return Record(topic, 0, 99, int(D0.timestamp() * 1000), key, None)


def test_everything_that_is_kept_goes_and_nothing_is_said(partition: Partition) -> None:
    assert partition.take(_tombstone(b"ada")) == []
    assert partition.state("ada") is None
    assert partition.state("ben") is not None
    assert sum(partition.facts.cases) == 1
    moment = D0
    while moment < D0 + timedelta(days=70):
        moment += timedelta(hours=12)
        partition.tick(moment)
    assert {each.customer_id for each in partition.outputs if each.decided_at > D0} == {"ben"}


def test_the_same_again_and_nobody_change_nothing(partition: Partition) -> None:
    partition.take(_tombstone(b"ada"), _tombstone(b"ada"), _tombstone(b"nobody"), _tombstone(b"\xff"))
    assert sum(partition.facts.cases) == 1
    assert partition.dead == []


def test_a_worker_that_takes_over_knows_nothing_either(partition: Partition) -> None:
    partition.take(_tombstone(b"ada"))
    assert partition.moved(load("care")).state("ada") is None


def test_what_comes_after_in_the_log_starts_anew(partition: Partition) -> None:
    profile = CustomerProfile(
        event_id="p-1",
        occurred_at=D0,
        customer_id="ada",
        customer_since=D0 - timedelta(days=400),
        timezone="Europe/Berlin",
        locale="de-DE",
        country="DE",
        channels=(),
        marketing_consent=False,
        segments=(),
        exempt=False,
    )
    partition.take(partition.record(profile, D0), _tombstone(b"ada"), partition.record(_failed("ada"), D0))
    state = partition.state("ada")
    assert state is not None
    assert state.profile is None
    assert len(state.cases) == 1


def test_only_a_profile_erases(partition: Partition) -> None:
    partition.take(*(_tombstone(b"ada", topic.name) for topic in INPUTS if topic is not PROFILES))
    assert partition.state("ada") is not None
    assert set(partition.dead) == {"null_value"}


def test_without_a_key_it_is_a_dead_letter(partition: Partition) -> None:
    partition.take(_tombstone(None))
    assert partition.dead == ["missing_customer"]


def test_a_decision_that_fails_is_logged_without_its_words(
    partition: Partition, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_self: Any, state: Any, *_rest: Any) -> None:
        words = f"nothing is known of {state.customer_id}"
        raise KeyError(words)

    monkeypatch.setattr("streams.policy.LoadedPolicy.decide", fail)
    with caplog.at_level(logging.DEBUG):
        partition.tick(D0 + timedelta(days=4))
    assert "builtins.KeyError" in caplog.text
    assert "test_erasure.py" in caplog.text
    assert "nothing is known" not in caplog.text
