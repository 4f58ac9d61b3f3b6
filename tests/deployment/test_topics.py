from streams.app import build_app
from streams.deployment.topics import deployed_topics
from streams.messages.topics import TOPICS
from streams.settings import load_settings


def test_all_topics_are_there_and_the_changelogs_are_those_of_the_worker() -> None:
    settings = load_settings(
        {"DUNNING_APPLICATION_ID": "billing", "DUNNING_TOPIC_PREFIX": "test.", "DUNNING_STORE": "memory"}
    )
    tables = build_app(settings).tables.values()
    changelogs = {table.changelog_topic.get_topic_name() for table in tables}
    found = {topic.name: topic for topic in deployed_topics(settings, partitions=3)}
    assert set(found) == {f"test.{topic.name}" for topic in TOPICS} | changelogs
    assert {topic.partitions for topic in found.values()} == {3}
    assert {found[name].config["cleanup.policy"] for name in changelogs} == {"compact"}
