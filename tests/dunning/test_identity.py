"""Identifiers are what RFC 9562 makes of their parts."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from streams.dunning.identity import named

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:dunning-streams")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_a_name_is_the_uuid_of_version_5(parts: list[str]) -> None:
    assert named(*parts) == str(uuid.uuid5(NAMESPACE, "\x1f".join(parts)))
