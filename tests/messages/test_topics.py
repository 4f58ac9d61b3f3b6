from pathlib import Path
from typing import get_args

import pytest

from streams.dunning.commands import Command, DecisionRecord
from streams.dunning.events import CustomerEvent, Tick
from streams.messages.currencies import MINOR_UNITS
from streams.messages.errors import UnknownTopicError
from streams.messages.examples import EXAMPLES
from streams.messages.policy_change import PolicyChange
from streams.messages.reference import render
from streams.messages.schemas import schema_directory
from streams.messages.topics import (
    DEAD_LETTERS,
    INPUTS,
    OUTPUTS,
    POLICIES,
    TICKS,
    TOPICS,
    Cleanup,
    topic_config,
    topic_named,
    topic_of,
    topic_of_kind,
)


def test_every_struct_has_a_topic_and_every_topic_its_struct() -> None:
    assert {topic.struct for topic in INPUTS} == set(get_args(CustomerEvent))
    assert {topic.struct for topic in OUTPUTS} == {*get_args(Command), DecisionRecord}
    assert TICKS.struct is Tick
    assert POLICIES.struct is PolicyChange
    assert DEAD_LETTERS.struct is None
    assert len(TOPICS) == len({topic.name for topic in TOPICS}) == 18


def test_kinds_are_the_tags_of_the_structs_and_the_middle_words_of_the_names() -> None:
    for topic in TOPICS:
        assert topic.kind == topic.name.split(".")[1]
        if topic.struct is not None:
            assert topic.struct.__struct_config__.tag == topic.kind


def test_every_schema_file_is_a_topics() -> None:
    files = {path.stem for path in schema_directory().glob("*.avsc")}
    assert files == {topic.name for topic in TOPICS if topic.schema is not None}


def test_topics_are_found_by_name_kind_and_message() -> None:
    for topic in TOPICS:
        assert topic_named(topic.name) is topic
        assert topic_of_kind(topic.kind) is topic
        if topic.struct is not None:
            assert topic_of(EXAMPLES[topic.struct]) is topic


def test_a_topic_that_is_not_there() -> None:
    with pytest.raises(UnknownTopicError, match=r"known are: billing\.payment-failed\.v1"):
        topic_named("billing.refund.v1")
    with pytest.raises(UnknownTopicError, match="known are: payment-failed"):
        topic_of_kind("refund")


def test_one_partition_number_is_one_workers() -> None:
    assert len({topic.partitions for topic in (*INPUTS, TICKS)}) == 1


def test_settings_for_real_time_keep_what_the_topic_says() -> None:
    config = topic_config(topic_named("billing.payment-failed.v1"), virtual_time=False)
    assert config == {
        "cleanup.policy": "delete",
        "message.timestamp.type": "CreateTime",
        "retention.ms": str(35 * 86_400_000),
        "message.timestamp.after.max.ms": "3600000",
        "message.timestamp.before.max.ms": str(2**63 - 1),
    }


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.kind)
def test_settings_for_virtual_time_delete_and_refuse_nothing_by_its_time(topic: object) -> None:
    config = topic_config(topic, virtual_time=True)  # type: ignore[arg-type]
    assert config["retention.ms"] == "-1"
    assert config["message.timestamp.after.max.ms"] == str(2**63 - 1)
    assert config["segment.ms"] == str(2**63 - 1)


def test_a_worker_that_was_down_sees_every_migration() -> None:
    lag = "min.compaction.lag.ms"
    assert int(topic_config(POLICIES, virtual_time=False)[lag]) >= 14 * 86_400_000
    assert topic_config(POLICIES, virtual_time=True)[lag] == str(2**63 - 1)


def test_dead_letters_are_not_compacted() -> None:
    # A dead letter may have no key, or a null value, which compaction would refuse or take for a deletion.
    assert DEAD_LETTERS.cleanup is Cleanup.DELETE


def test_currencies() -> None:
    assert {code: MINOR_UNITS[code] for code in ("EUR", "JPY", "KWD", "CLF")} == {
        "EUR": 2,
        "JPY": 0,
        "KWD": 3,
        "CLF": 4,
    }
    assert not {"XXX", "XTS", "XAU", "DEM", "eur"} & MINOR_UNITS.keys()
    assert all(len(code) == 3 and code.isupper() and code.isascii() for code in MINOR_UNITS)


def test_the_reference_tells_every_topic_and_field() -> None:
    page = render()
    for topic in TOPICS:
        assert f"### `{topic.name}`" in page
        assert topic.purpose in page
        for field in (topic.schema or {"fields": []})["fields"]:
            assert f"| `{field['name']}` |" in page
    assert "| `invoices[].amount_minor` |" in page
    assert render() == page


def test_the_page_in_the_tree_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "messages.md"
    assert page.read_text(encoding="utf-8") == render(), "make it anew: python -m streams.cli.docs"
