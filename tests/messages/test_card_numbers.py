"""Card numbers here are networks' published test numbers, put together when the test runs."""

import random
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.messages.card_numbers import holds_card_number, mask, may_hold_card_number

VISA = "4" + "1" * 15
VISA_13 = "4" + "2" * 12
MASTERCARD = "5" * 12 + "4" * 4
AMEX = "3782" + "822463" + "10005"
DINERS = "3056" + "930902" + "5904"
DISCOVER = "6011" + "1" * 8 + "1117"
JCB = "3530" + "1113" + "3330" + "0" * 4
NUMBERS = [VISA, VISA_13, MASTERCARD, AMEX, DINERS, DISCOVER, JCB]


def luhn_digit(digits: str) -> str:
    return next(str(last) for last in range(10) if holds_card_number(digits + str(last)))


def fours(digits: str, separator: str) -> str:
    return separator.join(digits[at : at + 4] for at in range(0, len(digits), 4))


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("text", ["{}", "my card is {}, thanks", "order{}", "pi_{}_x", "«{}»", "1 {}"])
def test_digits_together_are_found_anywhere(number: str, text: str) -> None:
    assert holds_card_number(text.format(number))
    assert may_hold_card_number(text.format(number).encode())


@pytest.mark.parametrize("separator", [" ", "-"])
def test_printed_groups_are_found(separator: str) -> None:
    maestro = "6759" + "6498" + "2643" + "8453" + "00"
    maestro += luhn_digit(maestro)
    printed = [
        *(fours(number, separator) for number in (VISA, MASTERCARD, DISCOVER, JCB, maestro)),
        separator.join((AMEX[:4], AMEX[4:10], AMEX[10:])),
        separator.join((DINERS[:4], DINERS[4:10], DINERS[10:])),
    ]
    for number in printed:
        assert holds_card_number(f"card {number}."), number
        assert may_hold_card_number(f"card {number}.".encode())


def test_a_number_beside_other_groups_is_found() -> None:
    assert holds_card_number(f"1234 {fours(VISA, ' ')}")
    assert holds_card_number(f"{fours(VISA, ' ')} 123")


@pytest.mark.parametrize(
    "text",
    [
        VISA[:-1] + "2",  # fails Luhn
        VISA[:12],
        VISA + "0000",  # twenty digits
        "2026-01-01 2026-02-01 10:00",
        "+1 212-555-0100 +1 212-555-0101",
        "1.234.567.890.123",
        fours(VISA, ". "),
        fours(VISA, "  "),
        "4242 to 4242 to 4242 to 4242",
        "",
    ],
)
def test_what_is_no_card_number(text: str) -> None:
    assert not holds_card_number(text)


def test_uuids_with_dashes_are_never_taken_for_one() -> None:
    source = random.Random(20260301)
    for _ in range(50_000):
        assert not holds_card_number(str(uuid.UUID(int=source.getrandbits(128))))
    assert not holds_card_number("12345678-1234-4567-8901-123456789012")


@given(st.text("0123456789 -x", max_size=60))
def test_the_quick_look_misses_nothing(text: str) -> None:
    assert may_hold_card_number(text.encode()) or not holds_card_number(text)


@given(st.text("0123456789 -x", max_size=60))
def test_nothing_is_left_after_masking(text: str) -> None:
    assert not holds_card_number(mask(text))


def test_masking_keeps_the_rest() -> None:
    assert mask(f"card {fours(VISA, '-')} of inv-2026-0301") == "card [long number] of inv-2026-0301"
