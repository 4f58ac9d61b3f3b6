"""Finds payment card numbers in texts, so that none is processed, shown or logged.

What counts as one: 13 to 19 digits (the lengths of ISO/IEC 7812 numbers in use) that satisfy the Luhn formula
(ISO/IEC 7812-1, annex B) and stand

- together, with no digit before or after: `order4...1`; a run of 20 digits or more is none; or
- in groups as printed on cards, with one space or one dash between them, and nothing alphanumeric before or
  after: 4-4-4-4, 4-4-4-4-3, 4-6-5 and 4-6-4.

One in ten arbitrary numbers satisfies Luhn. An identifier that is a bare number of 13 to 19 digits (epoch
milliseconds, snowflake ids) is therefore refused one time in ten; UUIDs with dashes never are, since no group
of theirs is longer than 12 and their grouping is none of the above. Only ASCII digits are looked at.
"""

import re

_SEPARATORS = b" -"
_TO_SHAPE = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x78 for byte in range(256))
_SHORTEST = b"0" * 13

_TOGETHER = re.compile(r"(?<![0-9])[0-9]{13,19}(?![0-9])")
# Look-aheads, so that candidates may overlap: a card number after another group of four is still found.
_GROUPED = tuple(
    re.compile(rf"(?<![0-9A-Za-z])(?=({groups})(?![0-9A-Za-z]))")
    for groups in (
        r"[0-9]{4}([ -])[0-9]{4}\2[0-9]{4}\2[0-9]{4}",
        r"[0-9]{4}([ -])[0-9]{4}\2[0-9]{4}\2[0-9]{4}\2[0-9]{3}",
        r"[0-9]{4}([ -])[0-9]{6}\2[0-9]{5}",
        r"[0-9]{4}([ -])[0-9]{6}\2[0-9]{4}",
    )
)
_LONG_NUMBER = re.compile(r"[0-9](?:[ -]?[0-9]){12,}")
# Satisfied by whatever one of the patterns above finds, and by little else; looked for in one pass.
_CANDIDATE = re.compile(r"[0-9]{13}|[0-9]{4}[ -][0-9]{4}[ -]?[0-9]{2}")

# What doubling a digit and adding up the result's digits gives.
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def may_hold_card_number(data: bytes) -> bool:
    """Tell whether a look at the texts in `data` is worthwhile; `False` is certain.

    A whole encoded record is looked at in less than a microsecond: a text's bytes lie together in it.
    """
    return _SHORTEST in data.translate(_TO_SHAPE, _SEPARATORS)


def holds_card_number(text: str) -> bool:
    """Tell whether `text` holds a card number, as this module defines it."""
    if len(text) < len(_SHORTEST) or _CANDIDATE.search(text) is None:
        return False
    return any(_satisfies_luhn(match.group()) for match in _TOGETHER.finditer(text)) or any(
        _satisfies_luhn(match.group(1).replace(match.group(2), ""))
        for pattern in _GROUPED
        for match in pattern.finditer(text)
    )


def mask(text: str) -> str:
    """Replace every number of 13 digits or more, however it is separated, for messages and logs."""
    return _LONG_NUMBER.sub("[long number]", text)


def _satisfies_luhn(digits: str) -> bool:
    from_right = [int(digit) for digit in reversed(digits)]
    return (sum(from_right[::2]) + sum(_DOUBLED[digit] for digit in from_right[1::2])) % 10 == 0
