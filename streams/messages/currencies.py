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
