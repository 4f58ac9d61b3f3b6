"""Why a payment was declined, as far as the customer may be told."""

import pytest

from tests.dunning.customer import Customer, utc
from tests.strategies import DAY

D0 = utc("2026-01-05 15:00")


@pytest.mark.parametrize(
    ("code", "network", "reason"),
    [
        ("insufficient_funds", None, "insufficient_funds"),
        ("51", "visa", "insufficient_funds"),
        ("51", "mastercard", "insufficient_funds"),
        ("54", None, "card_expired"),
        ("N7", "visa", "details_incorrect"),
        ("61", None, "limit_reached"),
        ("91", None, "bank_unavailable"),
        ("do_not_honor", None, None),
        ("05", "visa", None),
        (None, None, None),
        # What would warn a thief, or accuse a customer.
        ("43", "visa", None),
        ("41", None, None),
        ("lost_card", None, None),
        ("stolen_card", None, None),
        ("fraudulent", None, None),
        ("merchant_blacklist", None, None),
        # The message is all about it: there is nothing to add.
        ("authentication_required", None, None),
    ],
)
def test_what_the_first_message_tells(code: str | None, network: str | None, reason: str | None) -> None:
    customer = Customer()
    customer.failed(D0, code=code, network=network)
    (command,) = customer.sent
    assert command.variables.get("reason") == reason


def test_the_latest_failure_decides() -> None:
    customer = Customer()
    customer.failed(D0, code="insufficient_funds")
    customer.failed(D0 + DAY, code="do_not_honor")
    customer.until(D0 + 4 * DAY)
    assert [command.variables.get("reason") for command in customer.sent] == ["insufficient_funds", None]


def test_a_reason_says_nothing_of_another_card_that_was_reported_stolen() -> None:
    """Worded by the invoice that failed last: of the stolen card's there is none to tell."""
    customer = Customer()
    customer.failed(D0, "inv-1", code="expired_card")
    customer.failed(D0 + DAY, "inv-2", code="stolen_card")
    customer.until(D0 + 4 * DAY)
    assert customer.sent[-1].template == "payment_failed_hard"
    assert "reason" not in customer.sent[-1].variables
