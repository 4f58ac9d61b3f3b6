"""Who may do what: every topic has whom it needs, and nobody has more."""

import pytest

from streams.messages.access import Grant, Operation, Principal, ResourceKind, grants
from streams.messages.topics import DEAD_LETTERS, INPUTS, OUTPUTS, POLICIES, TICKS, TOPICS


def allowed(operation: Operation, topic: str) -> set[Principal]:
    return {
        principal
        for principal in Principal
        for each in grants(principal)
        if each.kind is ResourceKind.TOPIC and each.name == topic and operation in each.operations
    }


def test_an_input_has_one_writer_besides_the_operator_and_the_worker_reads_it() -> None:
    for topic in INPUTS:
        writers = allowed(Operation.WRITE, topic.name) - {Principal.OPERATOR}
        assert len(writers) == 1
        assert writers <= {Principal.PUBLISHER, Principal.NOTIFIER}
        assert Principal.WORKER in allowed(Operation.READ, topic.name)


def test_only_the_worker_writes_what_the_engine_says() -> None:
    for topic in (*OUTPUTS, TICKS):
        assert allowed(Operation.WRITE, topic.name) == {Principal.WORKER}
    # The operator marks there what has been dealt with.
    assert allowed(Operation.WRITE, DEAD_LETTERS.name) == {
        Principal.WORKER,
        Principal.REKEYER,
        Principal.OPERATOR,
    }


def test_only_the_operator_writes_policies() -> None:
    assert allowed(Operation.WRITE, POLICIES.name) == {Principal.OPERATOR}


def test_dead_letters_which_may_hold_card_numbers_are_read_by_the_operator_alone() -> None:
    assert allowed(Operation.READ, DEAD_LETTERS.name) == {Principal.OPERATOR}


def test_the_operator_can_make_every_topic() -> None:
    for topic in TOPICS:
        assert Principal.OPERATOR in allowed(Operation.CREATE, topic.name)


def test_a_rekeyer_reads_what_is_rekeyed_and_writes_what_it_becomes() -> None:
    given = grants(Principal.REKEYER, topic_prefix="eu.", rekeyed={"theirs": INPUTS[0].name})
    topics = {each.name: each.operations for each in given if each.kind is ResourceKind.TOPIC}
    assert topics == {
        f"eu.{DEAD_LETTERS.name}": (Operation.WRITE,),
        "theirs": (Operation.READ,),
        f"eu.{INPUTS[0].name}": (Operation.WRITE,),
    }


@pytest.mark.parametrize("principal", Principal)
def test_names_follow_the_settings(principal: Principal) -> None:
    plain = grants(principal)
    other = grants(principal, application_id="care", topic_prefix="eu.")
    for mine, theirs in zip(plain, other, strict=True):
        assert theirs == _renamed(mine)


def _renamed(grant: Grant) -> Grant:
    is_contract = grant.kind is ResourceKind.TOPIC and not grant.is_prefix
    name = grant.name
    if is_contract:
        name = f"eu.{name}"
    elif name != "dunning-reader":
        name = name.replace("dunning", "care", 1)
    return Grant(grant.kind, name, grant.operations, grant.reason, grant.is_prefix)
