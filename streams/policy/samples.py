"""Sample commands: what each kind of message can be given, at its fullest and at its barest."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from streams.dunning.commands import InvoiceLine, NotificationCommand
from streams.dunning.events import Channel
from streams.dunning.policy import DeclineClass
from streams.dunning.told_reasons import ToldReason
from streams.dunning.variables import CALL_VARIABLES, OFFER_VARIABLES, VARIABLES, MessageKind
from streams.policy.usage import Use

_DECIDED_AT = datetime(2026, 3, 1, 14, 0, tzinfo=UTC)

_VALUES = {
    "amount_minor": "123456",
    "attempts": "3",
    "card_brand": "mastercard",
    "card_last4": "4242",
    "closed_channels": "email, sms",
    "contacts_made": "2026-02-20 sms d5_sms delivered\n2026-02-15 email d0_email bounced",
    "currency": "USD",
    "customer_since": "2023-05-04",
    "days_left": "30",
    "days_overdue": "53",
    "decline_class": "soft",
    "exp_month": "9",
    "exp_year": "2027",
    "interval": "quarter",
    "next_retry_on": "2026-09-23",
    "open_since": "2026-02-15",
    # As long as payment links are: what a text message must leave room for.
    "pay_url": "https://billing.example.com/pay/" + "x" * 32,
    "plan_name": "Professional Team Plus",
    "previous_amount_minor": "99900",
    "promised_until": "2026-02-25",
    "reason": "insufficient_funds",
    "renews_on": "2026-09-23",
    "responded_on": "2026-02-20",
    "subscription_count": "2",
    "suspension_date": "2026-09-23",
    "trial_days": "30",
    "trial_ends": "true",
}

_ALTERNATIVES = {
    "interval": ("day", "week", "month", "year"),
    "reason": tuple(reason.value for reason in ToldReason),
    "subscription_count": ("0", "1"),
    "days_left": ("0", "1"),
}
_DATES = frozenset({"next_retry_on", "renews_on", "suspension_date"})

_WITH_INVOICES = frozenset(
    {
        MessageKind.FAILURE,
        MessageKind.FINAL_NOTICE,
        MessageKind.AUTHENTICATION,
        MessageKind.NEW_CARD_FAILED,
    }
)
"""Kinds that are always about at least one invoice. An apology may be about one; plans never are."""


def samples(use: Use, channel: Channel, locale: str) -> Iterator[NotificationCommand]:
    """Commands for one use of a template.

    With all that it can have, with each optional part left out in turn, and with nothing optional; with each
    value of what has a closed list of them; for SMS also with each month: one accented letter in its name may
    double what the message costs. Without offers (see
    `streams.policy.offer_checks`).
    """
    variables = VARIABLES[use.kind]
    # Only a soft decline is tried again.
    absent = set() if use.decline_class in {None, DeclineClass.SOFT} else {"next_retry_on"}
    if use.decline_class is DeclineClass.AUTHENTICATION:
        absent.add("reason")
    for_calls = CALL_VARIABLES if channel is Channel.PHONE else frozenset[str]()
    optional = sorted((variables.optional - absent - OFFER_VARIABLES) | for_calls)
    combinations = {frozenset(optional), frozenset(), *(frozenset(optional) - {name} for name in optional)}
    invoices = 2 if use.kind in _WITH_INVOICES else 0
    for chosen in sorted(combinations, key=sorted):
        values = {name: _VALUES[name] for name in sorted(variables.required | chosen)}
        if use.decline_class is not None:
            values["decline_class"] = use.decline_class.value
        yield _command(use, channel, locale, values, invoices=invoices)
        if chosen == frozenset(optional):
            for other in _others(values, channel):
                yield _command(use, channel, locale, other, invoices=invoices)
    if use.kind is MessageKind.APOLOGY:
        yield _command(use, channel, locale, {}, invoices=1)


def _others(values: dict[str, str], channel: Channel) -> Iterator[dict[str, str]]:
    for name, alternatives in _ALTERNATIVES.items():
        for value in alternatives:
            if values.get(name, value) != value:
                yield {**values, name: value}
    dates = values.keys() & _DATES
    if channel is Channel.SMS and dates:
        for month in range(1, 13):
            yield {**values, **dict.fromkeys(sorted(dates), f"2026-{month:02}-23")}


def _command(
    use: Use, channel: Channel, locale: str, variables: dict[str, str], *, invoices: int
) -> NotificationCommand:
    lines = tuple(
        InvoiceLine(
            invoice_id=f"in_{number}",
            subscription_id="sub_1",
            amount_minor=4900 + number,
            currency="USD",
            first_failed_at=_DECIDED_AT,
        )
        for number in range(invoices)
    )
    return NotificationCommand(
        command_id="sample",
        customer_id="sample",
        channel=channel,
        template=use.template,
        locale=locale,
        variables=variables,
        invoices=lines,
        total_minor=sum(line.amount_minor for line in lines) if lines else None,
        currency="USD" if lines else None,
        step_id="sample",
        policy_version="sample",
        decided_at=_DECIDED_AT,
        send_after=_DECIDED_AT,
        expires_at=_DECIDED_AT + timedelta(days=2),
    )
