"""One message of each kind, of one invented customer: for the reference, and to try a topic out with."""

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

from streams.dunning.commands import (
    AccountCommand,
    DecisionRecord,
    Factor,
    InputReference,
    InvoiceLine,
    Missing,
    NotificationCommand,
    Outcome,
    Reason,
    ReasonCode,
    Risk,
    RiskFactor,
)
from streams.dunning.events import (
    Card,
    CardExpiring,
    CardUpdated,
    Channel,
    CustomerProfile,
    Feedback,
    FeedbackKind,
    InvoiceClosed,
    PaymentFailed,
    PaymentRecovered,
    PaymentReversed,
    RenewalUpcoming,
    SubscriptionCancelled,
    SubscriptionChanged,
    Tick,
)
from streams.dunning.offer_leases import LeaseMessage
from streams.messages.policy_change import PolicyChange


def _at(month: int, day: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


_CUSTOMER = "cus-orchard"
_SUBSCRIPTION = "sub-orchard-team"
_INVOICE = "inv-2026-0301"
_CASE = "0e4f7c52-1f0b-5d0e-9a53-6a4b1c2d3e4f"
_COMMAND = "b3a1d6f0-52c7-5b8e-8d1f-7c6e5a4b3d2f"
_POLICY = "care@4f1c2ab09d73"
_OLD_CARD = Card("pm-orchard-1", "visa", "0341", 4, 2026)
_NEW_CARD = Card("pm-orchard-2", "mastercard", "7720", 11, 2029)
_LINE = InvoiceLine(
    invoice_id=_INVOICE,
    subscription_id=_SUBSCRIPTION,
    amount_minor=2_900,
    currency="EUR",
    first_failed_at=_at(3, 1, 6, 30),
)

_RISK = Risk(score=24, factors=(RiskFactor(Factor.FAILED_PAYMENTS, 16), RiskFactor(Factor.DOWNGRADES, 8)))

_MESSAGES: tuple[Struct, ...] = (
    PaymentFailed(
        event_id="evt-0001",
        occurred_at=_at(3, 1, 6, 30),
        customer_id=_CUSTOMER,
        invoice_id=_INVOICE,
        amount_minor=2_900,
        currency="EUR",
        subscription_id=_SUBSCRIPTION,
        decline_code="insufficient_funds",
        network="visa",
        advice_code="02",
        attempt=1,
        next_retry_at=_at(3, 4, 6, 30),
        card=_OLD_CARD,
        pay_url="https://pay.example/inv-2026-0301",
    ),
    CardExpiring(
        event_id="evt-0002",
        occurred_at=_at(2, 20),
        customer_id=_CUSTOMER,
        card=_OLD_CARD,
        subscription_ids=(_SUBSCRIPTION,),
    ),
    RenewalUpcoming(
        event_id="evt-0003",
        occurred_at=_at(3, 2),
        customer_id=_CUSTOMER,
        subscription_id=_SUBSCRIPTION,
        renews_at=_at(4, 1, 6, 30),
        amount_minor=2_900,
        currency="EUR",
        interval="month",
        plan_name="Team",
        previous_amount_minor=2_500,
    ),
    PaymentRecovered(
        event_id="evt-0004",
        occurred_at=_at(3, 5, 17, 12),
        customer_id=_CUSTOMER,
        invoice_id=_INVOICE,
        amount_minor=2_900,
        currency="EUR",
        subscription_id=_SUBSCRIPTION,
    ),
    CardUpdated(
        event_id="evt-0005",
        occurred_at=_at(3, 5, 17, 10),
        customer_id=_CUSTOMER,
        card=_NEW_CARD,
        source="customer",
    ),
    SubscriptionCancelled(
        event_id="evt-0006",
        occurred_at=_at(6, 30),
        customer_id=_CUSTOMER,
        subscription_id=_SUBSCRIPTION,
        reason="moved to another tool",
    ),
    SubscriptionChanged(
        event_id="evt-0007",
        occurred_at=_at(5, 11),
        customer_id=_CUSTOMER,
        subscription_id=_SUBSCRIPTION,
        change="downgrade",
        plan_name="Solo",
    ),
    InvoiceClosed(
        event_id="evt-0008",
        occurred_at=_at(3, 9),
        customer_id=_CUSTOMER,
        invoice_id=_INVOICE,
        reason="disputed",
    ),
    PaymentReversed(
        event_id="evt-0009",
        occurred_at=_at(3, 20),
        customer_id=_CUSTOMER,
        invoice_id=_INVOICE,
        amount_minor=2_900,
        currency="EUR",
        reason="chargeback",
        subscription_id=_SUBSCRIPTION,
    ),
    CustomerProfile(
        event_id="evt-0010",
        occurred_at=_at(1, 15),
        customer_id=_CUSTOMER,
        customer_since=datetime(2023, 9, 4, tzinfo=UTC),
        timezone="Europe/Lisbon",
        locale="pt-PT",
        country="PT",
        channels=(Channel.EMAIL, Channel.SMS, Channel.LETTER),
        region="11",
        marketing_consent=True,
        preferred_channel=Channel.EMAIL,
        segments=("agency",),
        engagement=0.75,
        last_seen_at=_at(1, 14, 22, 5),
        satisfaction=8,
        seasonal_tags=("summer",),
    ),
    Feedback(
        event_id="evt-0011",
        occurred_at=_at(3, 2, 18, 40),
        customer_id=_CUSTOMER,
        command_id=_COMMAND,
        channel=Channel.EMAIL,
        kind=FeedbackKind.PROMISED,
        promised_until=_at(3, 6),
        text="I will pay on Friday.",
    ),
    Tick(now=_at(3, 1, 6, 31)),
    LeaseMessage(action="ask", account="loyalty/EUR", partition=3, least=580, pressing=True, used=12_180),
    PolicyChange(
        number=2,
        action="migrate",
        version="4f1c2ab09d73e5b6",
        changed_at=_at(3, 2),
        customers=(_CUSTOMER,),
    ),
    NotificationCommand(
        command_id=_COMMAND,
        customer_id=_CUSTOMER,
        channel=Channel.EMAIL,
        template="payment-failed",
        locale="pt-PT",
        subject="O pagamento de 29,00 € não foi aceite",
        body="Olá, o pagamento da fatura inv-2026-0301 (29,00 €) não foi aceite.",
        variables={"amount_minor": "2900", "next_retry_at": "2026-03-04T06:30:00Z"},
        invoices=(_LINE,),
        total_minor=2_900,
        currency="EUR",
        html_body="<p>Olá, o pagamento da fatura inv-2026-0301 (29,00 €) não foi aceite.</p>",
        experiment_arms={"subject-line": "plain"},
        segment="loyal",
        tone="supportive",
        risk=_RISK,
        case_id=_CASE,
        step_id="d0-email",
        policy_version=_POLICY,
        decided_at=_at(3, 1, 6, 31),
        send_after=_at(3, 1, 6, 31),
        expires_at=_at(3, 4, 6, 31),
    ),
    AccountCommand(
        command_id="5c0d9e8f-7a6b-5c4d-8e2f-1a0b9c8d7e6f",
        customer_id=_CUSTOMER,
        subscription_id=_SUBSCRIPTION,
        action="suspend",
        reason="gate_met",
        case_id=_CASE,
        invoices=(_LINE,),
        total_minor=2_900,
        currency="EUR",
        policy_version=_POLICY,
        decided_at=_at(4, 30),
    ),
    DecisionRecord(
        decision_id="91f7a3c5-0b2d-5e4f-9a6b-3c8d7e5f1a2b",
        customer_id=_CUSTOMER,
        input=InputReference(
            kind="tick", topic="dunning.tick.v1", partition=3, offset=5_184_000, event_id=None
        ),
        decided_at=_at(4, 30),
        policy_version=_POLICY,
        segment="loyal",
        risk=_RISK,
        experiment_arms={"subject-line": "plain"},
        outcomes=(
            Reason(
                outcome=Outcome.BLOCKED,
                reason=ReasonCode.GATE_NOT_MET,
                case_id=_CASE,
                step_id="d60-suspend",
                until=_at(5, 1),
                missing=(Missing.FINAL_NOTICE_AGE,),
            ),
        ),
    ),
)

EXAMPLES: Mapping[type[Struct], Struct] = {type(message): message for message in _MESSAGES}
"""One message of each kind, by its struct."""
