"""The currencies of ISO 4217, with their number of decimal places; the list is `currencies.csv`."""

import csv
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType


def _load() -> Mapping[str, int]:
    text = files("streams.messages").joinpath("currencies.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return MappingProxyType({row["code"]: int(row["minor_unit"]) for row in rows})


MINOR_UNITS: Mapping[str, int] = _load()
"""Decimal places of the minor unit by alphabetic code: 2 for EUR (cents), 0 for JPY, 3 for KWD."""

_USUAL_MINOR_UNITS = 2
"""Decimal places of a currency that is not in the list: nearly all have two."""


def in_major_units(amount_minor: int, currency: str) -> str:
    """An amount for people, in the currency's major unit, with its code."""
    places = MINOR_UNITS.get(currency, _USUAL_MINOR_UNITS)
    major, minor = divmod(amount_minor, 10**places)
    return f"{major:,}.{minor:0{places}} {currency}" if places else f"{major:,} {currency}"
