"""What the domain would say, as small as it gets; identifiers that must not be shown say `secret`."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from streams.dunning.commands import (
    AccountCommand,
    Command,
    Missing,
    NotificationCommand,
    Outcome,
    Reason,
    ReasonCode,
)
from streams.dunning.decide import Decision
from streams.dunning.events import Channel, PaymentFailed, PaymentRecovered
from streams.dunning.policy import DeclineClass
from streams.dunning.state import Case, CustomerState, Invoice

NOW = datetime(2026, 1, 1, 10, tzinfo=UTC)
WALL = NOW.timestamp() + 5.0

FAILED = PaymentFailed(
    event_id="event-secret",
    occurred_at=NOW,
    customer_id="customer-secret",
    invoice_id="invoice-secret",
    amount_minor=1_250,
    currency="USD",
)
RECOVERED = PaymentRecovered(
    event_id="event-secret-2",
    occurred_at=NOW,
    customer_id="customer-secret",
    invoice_id="invoice-secret",
    amount_minor=1_250,
    currency="USD",
)
INVOICE = Invoice(
    invoice_id="invoice-secret",
    subscription_id=None,
    currency="USD",
    amount_minor=1_250,
    failures=(NOW,),
    attempts=1,
    decline_class=DeclineClass.SOFT,
)
EMPTY = CustomerState(customer_id="customer-secret", clock=NOW)


class FakeRecord(NamedTuple):
    topic: str


def case(case_id: str = "case-secret", **changes: Any) -> Case:
    fields: dict[str, Any] = {
        "subscription_id": None,
        "currency": "USD",
        "campaign": "standard",
        "policy_version": "v",
        "opened_at": NOW,
        "invoices": (INVOICE,),
    }
    return Case(case_id=case_id, **(fields | changes))


def owing(*cases: Case, **changes: Any) -> CustomerState:
    return CustomerState(customer_id="customer-secret", clock=NOW, cases=cases or (case(),), **changes)


def reason(
    outcome: Outcome = Outcome.OPENED,
    code: ReasonCode = ReasonCode.PAYMENT_FAILED,
    missing: tuple[Missing, ...] = (),
) -> Reason:
    return Reason(outcome=outcome, reason=code, case_id="case-secret", missing=missing)


def decision(*reasons: Reason, commands: tuple[Command, ...] = (), state: CustomerState = EMPTY) -> Decision:
    return Decision(state, NOW, commands, reasons)


def notification(template: str = "payment_failed") -> NotificationCommand:
    return NotificationCommand(
        command_id="command-secret",
        customer_id="customer-secret",
        channel=Channel.EMAIL,
        template=template,
        locale="en",
        step_id="d0",
        policy_version="v",
        decided_at=NOW,
        send_after=NOW,
        expires_at=NOW + timedelta(days=1),
    )


def suspension() -> AccountCommand:
    return AccountCommand(
        command_id="command-secret",
        customer_id="customer-secret",
        subscription_id=None,
        action="suspend",
        reason="gate_met",
        case_id="case-secret",
        policy_version="v",
        decided_at=NOW,
    )
