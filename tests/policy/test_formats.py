"""Months in the customer's language, whatever language was written before."""

import itertools

import pytest
from babel import Locale

from streams.policy.formats import month_name

SEPTEMBER = {"fr": "septembre", "es": "septiembre", "ja": "9月", "cs": "září"}


@pytest.mark.parametrize("tags", [*itertools.permutations(["ja", "es", "fr", "cs"])])
def test_no_language_speaks_for_another(tags: tuple[str, ...]) -> None:
    month_name.cache_clear()
    assert [month_name(9, Locale.parse(tag)) for tag in tags] == [SEPTEMBER[tag] for tag in tags]


def test_there_is_no_thirteenth_month() -> None:
    with pytest.raises(ValueError, match="13 is not a month"):
        month_name(13, Locale.parse("en"))
