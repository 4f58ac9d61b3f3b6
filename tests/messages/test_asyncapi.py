"""docs/asyncapi.yaml: read by AsyncAPI's own parser, and the same as the topics and the schemas."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.messages.asyncapi import document
from streams.messages.topics import INPUTS, OUTPUTS, TOPICS, topic_config

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "asyncapi.yaml"
CHECK = Path(__file__).parent / "asyncapi"

Operations = dict[str, list[str]]


@pytest.fixture(scope="module")
def read() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def parsed() -> dict[str, Any]:
    """What the parser makes of the document; its packages are those of the lock file, fetched once."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("needs node and npm to run AsyncAPI's parser")
    lock = (CHECK / "package-lock.json").read_bytes()
    home = ROOT / ".cache" / f"asyncapi-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (home / "installed").exists():
        home.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(CHECK / name, home)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=home, check=True, timeout=240, stdout=subprocess.DEVNULL)
        (home / "installed").touch()
    # Imports are resolved from where the script lies.
    shutil.copy(CHECK / "validate.mjs", home)
    checked = subprocess.run(
        [node, home / "validate.mjs", DOCUMENT],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={"PATH": os.environ["PATH"]},
    )
    found: dict[str, Any] = json.loads(checked.stdout)
    return found


@pytest.mark.slow
def test_the_parser_finds_nothing_wrong(parsed: dict[str, Any]) -> None:
    # That there is a later version of the format is no problem of the document.
    problems = [each for each in parsed["problems"] if each["code"] != "asyncapi-latest-version"]
    assert problems == []


@pytest.mark.slow
def test_the_parser_sees_every_topic_and_every_field(parsed: dict[str, Any]) -> None:
    assert [channel["address"] for channel in parsed["channels"]] == [topic.name for topic in TOPICS]
    for topic, channel in zip(TOPICS, parsed["channels"], strict=True):
        assert channel["partitions"] == topic.partitions
        (message,) = channel["messages"]
        if topic.struct is not None:
            assert set(message["fields"]) == set(topic.struct.__struct_fields__), topic.name
    operations: Operations = {each["address"]: each["operations"] for each in parsed["channels"]}
    assert all(operations[topic.name] == ["receive"] for topic in INPUTS)
    assert all(operations[topic.name] == ["send"] for topic in OUTPUTS)


def test_the_file_is_what_the_code_says(read: dict[str, Any]) -> None:
    assert read == json.loads(json.dumps(document()))


def test_payloads_are_the_schemas_as_they_lie_in_their_files(read: dict[str, Any]) -> None:
    payloads = {
        channel["address"]: read["components"]["messages"][name]["payload"].get("schema")
        for name, channel in read["channels"].items()
    }
    files = {path.stem: json.loads(path.read_text("utf-8")) for path in (ROOT / "schemas").glob("*.avsc")}
    assert {name: schema for name, schema in payloads.items() if schema is not None} == files


def test_topics_are_kept_as_the_broker_is_told(read: dict[str, Any]) -> None:
    for topic in TOPICS:
        binding = read["channels"][topic.kind]["bindings"]["kafka"]
        told = {
            name: ",".join(value) if isinstance(value, list) else str(value)
            for name, value in binding["topicConfiguration"].items()
        }
        assert told == topic_config(topic, virtual_time=False)
