"""The shipped policies are found in the repository and in an installed package."""

import shutil
from pathlib import Path

import pytest

from streams.policy import documents, load


def test_an_installed_package_brings_its_policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "streams"
    shutil.copytree(documents.policies_directory(), package / "_data" / "policies")
    monkeypatch.setattr("importlib.resources.files", lambda _name: package)
    assert documents.policies_directory() == package / "_data" / "policies"
    assert documents.find("care") == package / "_data" / "policies" / "care"
    assert documents.read(documents.find("care")).values["name"] == "care"


def test_a_path_of_the_same_name_as_a_shipped_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "care").write_text("extends: care\nname: own\n")
    monkeypatch.chdir(tmp_path)
    assert load("care").policy.name == "care"
    assert load("./care").policy.name == "own"
