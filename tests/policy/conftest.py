"""Policies to change and break."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from streams.policy import LoadedPolicy, PolicyError, Problem, load
from streams.policy.documents import Document
from streams.policy.loading import from_document

Problems = Callable[[dict[str, Any]], dict[str, Problem]]


@pytest.fixture(scope="session")
def care() -> LoadedPolicy:
    return load("care")


@pytest.fixture
def document(care: LoadedPolicy) -> dict[str, Any]:
    """The shipped policy as plain values, to be changed; in English alone, which is checked sooner."""
    document = copy.deepcopy(care.document)
    document["content"] = {"en": document["content"]["en"]}
    return document


@pytest.fixture(scope="session")
def problems_of() -> Problems:
    """What is wrong with a document, by path; empty if nothing is."""

    def find(document: dict[str, Any]) -> dict[str, Problem]:
        try:
            from_document(Document("test", document))
        except PolicyError as error:
            return {problem.path: problem for problem in error.problems}
        return {}

    return find
