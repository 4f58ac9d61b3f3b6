"""The report on outcomes: rates and times made of counts, by whatever the counts are kept by."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import accumulate

from msgspec import Struct

from streams.dunning.measures import LAST_DAY, Counts, Group, Measure, name_and_detail

__all__ = [
    "DIMENSIONS",
    "Attribution",
    "CaseRow",
    "ContactRow",
    "CurvePoint",
    "OutcomeReport",
    "PlanRow",
    "outcome_report",
    "recovery_curve",
]

DIMENSIONS = ("about", "campaign", "step", "channel", "template", "segment", "locale", "arm")
"""What rows may be made by. Somebody in several experiments is in the row of each of their arms."""

_OF_CONTACTS_ONLY = frozenset({"step", "channel", "template"})


class Attribution(StrEnum):
    """Which contacts have the credit for a payment."""

    LAST = "last"
    """The last one before it."""
    ANY = "any"
    """Every one before it, so a payment counts for several."""


_RENEWED = "renewal_paid"
_PAID = {Attribution.LAST: Measure.PAID_LAST, Attribution.ANY: Measure.PAID_ANY}
_MINUTES = {Attribution.LAST: Measure.MINUTES_LAST, Attribution.ANY: Measure.MINUTES_ANY}
_DAY = {Attribution.LAST: Measure.DAY_LAST, Attribution.ANY: Measure.DAY_ANY}
_AMOUNT = {Attribution.LAST: Measure.AMOUNT_LAST, Attribution.ANY: Measure.AMOUNT_ANY}


class ContactRow(Struct, frozen=True, kw_only=True):
    """Contacts, and what came of them. Rates are of those that did not bounce; None where there are none.

    `paid` are contacts with the credit for a payment, `amount_minor` what was paid, by currency. Times are
    from the contact to the first such payment; a median is in whole days.
    """

    by: dict[str, str]
    sent: int
    mean_day: float | None
    delivered: int
    bounced: int
    opened: int
    clicked: int
    responded: int
    promised: int
    unanswered: int
    complained: int
    opted_out: int
    paid: int
    open_rate: float | None
    response_rate: float | None
    payment_rate: float | None
    median_days_to_payment: int | None
    mean_hours_to_payment: float | None
    amount_minor: dict[str, int]


class CaseRow(Struct, frozen=True, kw_only=True):
    """Debts: invoices that failed and what they came to, cases, and what was done to accounts.

    `recovery_rate` is of all failed invoices, open ones among them; amounts are by currency.
    """

    by: dict[str, str]
    failed: int
    paid: int
    paid_uncontacted: int
    recovery_rate: float | None
    median_days_to_payment: int | None
    settled: dict[str, int]
    open: int
    failed_minor: dict[str, int]
    paid_minor: dict[str, int]
    cases: int
    closed: dict[str, int]
    suspended: int
    reactivated: int
    reviewed: int


class PlanRow(Struct, frozen=True, kw_only=True):
    """Plans: the cards and renewals that there were to remind of, and how they ended, by why.

    `reminded` are those of the ended of which a reminder went out. `renewal_rate` is of renewals that ended:
    the share that was paid, and `renewal_rate_reminded` that of the reminded ones; None for cards.
    """

    by: dict[str, str]
    plans: int
    ended: dict[str, int]
    reminded: dict[str, int]
    renewal_rate: float | None
    renewal_rate_reminded: float | None


class CurvePoint(Struct, frozen=True):
    """Up to and with this day since an invoice failed, so many of all that failed were paid."""

    day: int
    paid: int
    share: float


class OutcomeReport(Struct, frozen=True, kw_only=True):
    """What was counted, by some dimensions, with the credit for payments as `attribution` says.

    `unmatched_reports` came for contacts that are not remembered any more; they count nowhere else.
    """

    attribution: Attribution
    by: tuple[str, ...]
    contacts: tuple[ContactRow, ...]
    cases: tuple[CaseRow, ...]
    plans: tuple[PlanRow, ...]
    recovery_curve: tuple[CurvePoint, ...]
    unmatched_reports: int


def outcome_report(
    counts: Counts, by: Sequence[str], attribution: Attribution = Attribution.LAST
) -> OutcomeReport:
    """Make the report of counts.

    Args:
        counts: by group, of all partitions.
        by: some of `DIMENSIONS`; without any, each table has one row.
        attribution: who has the credit for a payment.
    """
    whole = [name for name in by if name not in _OF_CONTACTS_ONLY]
    days = _days_of_steps(counts)
    rows = sorted(_added_up(counts, by).items(), key=lambda row: _place(by, row[0], days))
    of_wholes = sorted(_added_up(counts, whole).items())
    return OutcomeReport(
        attribution=attribution,
        by=tuple(by),
        contacts=tuple(
            _contacts(by, values, counted, attribution)
            for values, counted in rows
            if counted[Measure.SENT] > 0
        ),
        cases=tuple(
            _cases(whole, values, counted) for values, counted in of_wholes if counted[Measure.FAILED] > 0
        ),
        plans=tuple(
            _plans(whole, values, counted) for values, counted in of_wholes if counted[Measure.PLANS] > 0
        ),
        recovery_curve=tuple(recovery_curve(counts.values())),
        unmatched_reports=sum(counted.get(Measure.UNMATCHED, 0) for counted in counts.values()),
    )


def recovery_curve(counted: Iterable[Mapping[str, int]]) -> Iterator[CurvePoint]:
    """By day since an invoice failed, how many of all that failed were paid; up to the last day of any."""
    total: Counter[str] = Counter()
    for each in counted:
        total.update(each)
    failed, by_day = total[Measure.FAILED], _details(total, Measure.PAID_DAY)
    if failed == 0:
        return
    paid_on = {int(day): count for day, count in by_day.items()}
    last = max(paid_on, default=0)
    for day, paid in enumerate(accumulate(paid_on.get(day, 0) for day in range(last + 1))):
        yield CurvePoint(day, paid, paid / failed)


def _values(group: Group, by: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The rows that a group is in: one, or one for each of its arms."""
    arms = group.arms or ("-",)
    for arm in arms if "arm" in by else arms[:1]:
        yield tuple(arm if name == "arm" else getattr(group, name) or "-" for name in by)


def _added_up(counts: Counts, by: Sequence[str]) -> dict[tuple[str, ...], Counter[str]]:
    rows: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for group, counted in counts.items():
        for values in _values(group, by):
            rows[values].update(counted)
    return rows


def _days_of_steps(counts: Counts) -> dict[str, float]:
    """On which day of the ladder a step goes out, on average."""
    return {step: mean for (step,), row in _added_up(counts, ("step",)).items() if (mean := _mean_day(row))}


def _place(by: Sequence[str], values: tuple[str, ...], days: Mapping[str, float]) -> list[tuple[float, str]]:
    """Where a row stands: steps in the order of the ladder, all else by name."""
    return [
        (days.get(value, 0.0) if name == "step" else 0.0, value)
        for name, value in zip(by, values, strict=True)
    ]


def _contacts(
    by: Sequence[str], values: tuple[str, ...], counted: Counter[str], attribution: Attribution
) -> ContactRow:
    arrived = counted[Measure.SENT] - counted[Measure.BOUNCED]
    paid = counted[_PAID[attribution]]
    return ContactRow(
        by=dict(zip(by, values, strict=True)),
        sent=counted[Measure.SENT],
        mean_day=_mean_day(counted),
        delivered=counted[Measure.DELIVERED],
        bounced=counted[Measure.BOUNCED],
        opened=counted[Measure.OPENED],
        clicked=counted[Measure.CLICKED],
        responded=counted[Measure.RESPONDED],
        promised=counted[Measure.PROMISED],
        unanswered=counted[Measure.UNANSWERED],
        complained=counted[Measure.COMPLAINED],
        opted_out=counted[Measure.OPTED_OUT],
        paid=paid,
        open_rate=_ratio(counted[Measure.OPENED], arrived),
        response_rate=_ratio(counted[Measure.RESPONDED], arrived),
        payment_rate=_ratio(paid, arrived),
        median_days_to_payment=_median_day(_details(counted, _DAY[attribution])),
        mean_hours_to_payment=_ratio(counted[_MINUTES[attribution]] / 60, paid),
        amount_minor=_details(counted, _AMOUNT[attribution]),
    )


def _cases(by: Sequence[str], values: tuple[str, ...], counted: Counter[str]) -> CaseRow:
    settled = _details(counted, Measure.SETTLED)
    paid = settled.get("paid", 0)
    return CaseRow(
        by=dict(zip(by, values, strict=True)),
        failed=counted[Measure.FAILED],
        paid=paid,
        paid_uncontacted=counted[Measure.PAID_UNCONTACTED],
        recovery_rate=_ratio(paid, counted[Measure.FAILED]),
        median_days_to_payment=_median_day(_details(counted, Measure.PAID_DAY)),
        settled=settled,
        open=counted[Measure.FAILED] - sum(settled.values()),
        failed_minor=_details(counted, Measure.FAILED_AMOUNT),
        paid_minor=_details(counted, Measure.PAID_AMOUNT),
        cases=counted[Measure.CASES],
        closed=_details(counted, Measure.CLOSED),
        suspended=counted[Measure.SUSPENDED],
        reactivated=counted[Measure.REACTIVATED],
        reviewed=counted[Measure.REVIEWED],
    )


def _plans(by: Sequence[str], values: tuple[str, ...], counted: Counter[str]) -> PlanRow:
    ended, reminded = _details(counted, Measure.ENDED), _details(counted, Measure.ENDED_REMINDED)
    return PlanRow(
        by=dict(zip(by, values, strict=True)),
        plans=counted[Measure.PLANS],
        ended=ended,
        reminded=reminded,
        renewal_rate=_ratio(ended.get(_RENEWED, 0), sum(ended.values())) if _RENEWED in ended else None,
        renewal_rate_reminded=_ratio(reminded.get(_RENEWED, 0), sum(reminded.values()))
        if _RENEWED in ended
        else None,
    )


def _details(counted: Mapping[str, int], measure: Measure) -> dict[str, int]:
    """What was counted of a measure by its details, in their order."""
    found = ((name_and_detail(name), count) for name, count in counted.items())
    return dict(sorted((detail, count) for (name, detail), count in found if name == measure))


def _mean_day(counted: Mapping[str, int]) -> float | None:
    return _ratio(counted.get(Measure.SENT_HOURS, 0) / 24, counted.get(Measure.SENT, 0))


def _median_day(by_day: Mapping[str, int]) -> int | None:
    """The day up to which half of them came; `LAST_DAY` means then or later."""
    half = sum(by_day.values()) / 2
    if not half:
        return None
    reached = 0
    for day in sorted(map(int, by_day)):
        reached += by_day[str(day)]
        if reached >= half:
            return day
    return LAST_DAY


def _ratio(part: float, whole: int) -> float | None:
    return part / whole if whole > 0 else None
