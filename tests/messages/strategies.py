"""Hypothesis strategies for everything that has a topic. What they make is valid input."""

import string
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
from hypothesis import strategies as st
from msgspec import Struct

from streams.dunning.commands import DecisionRecord, InputReference, InvoiceLine, Reason, Risk, RiskFactor
from streams.dunning.events import Card, CustomerEvent
from streams.messages.card_numbers import holds_card_number
from streams.messages.currencies import MINOR_UNITS
from streams.messages.topics import INPUTS, OUTPUTS, POLICIES, TICKS

texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=30).filter(
    lambda text: not holds_card_number(text)
)
identifiers = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=12)
moments = st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
currencies = st.sampled_from(sorted(MINOR_UNITS))
amounts = st.integers(0, 10**15)
maps = st.dictionaries(texts, texts, max_size=3)

cards = st.builds(
    Card,
    payment_method_id=identifiers,
    brand=texts,
    last4=st.text(string.digits, min_size=4, max_size=4),
    exp_month=st.integers(1, 12),
    exp_year=st.integers(1970, 2100),
)

_BY_FIELD: dict[str, st.SearchStrategy[Any]] = {
    "amount_minor": amounts,
    "previous_amount_minor": amounts,
    "total_minor": amounts,
    "currency": currencies,
    "attempt": st.integers(0, 10_000),
    "trial_days": st.integers(0, 3_660),
    "card": cards,
    "pay_url": identifiers.map(lambda path: f"https://pay.example/{path}"),
    "engagement": st.floats(0, 1),
    "satisfaction": st.integers(0, 10),
    "score": st.integers(0, 100),
    "points": st.integers(0, 100),
    "number": st.integers(1, 2**63 - 1),
    "partition": st.integers(0, 2**31 - 1),
    "offset": st.integers(0, 2**63 - 1),
    "variables": maps,
    "experiment_arms": maps,
    "subscription_ids": st.lists(identifiers, max_size=3).map(tuple),
}
_BY_TYPE: list[tuple[type, st.SearchStrategy[Any]]] = [
    (msgspec.inspect.DateTimeType, moments),
    (msgspec.inspect.StrType, texts),
    (msgspec.inspect.BoolType, st.booleans()),
    (msgspec.inspect.BytesType, st.binary(max_size=64)),
]


def structs(struct: type[Struct]) -> st.SearchStrategy[Any]:
    """Any valid value of a struct."""
    info = msgspec.inspect.type_info(struct)
    assert isinstance(info, msgspec.inspect.StructType)
    return st.builds(struct, **{field.name: _field(field.name, field.type) for field in info.fields})


def _field(name: str, type_: msgspec.inspect.Type) -> st.SearchStrategy[Any]:
    if isinstance(type_, msgspec.inspect.UnionType):
        inner = [branch for branch in type_.types if not isinstance(branch, msgspec.inspect.NoneType)]
        return st.none() | _field(name, inner[0])
    if name in _BY_FIELD:
        return _BY_FIELD[name]
    if name.endswith("_id"):
        return identifiers
    if isinstance(type_, msgspec.inspect.EnumType):
        return st.sampled_from(list(type_.cls))
    if isinstance(type_, msgspec.inspect.LiteralType):
        return st.sampled_from(type_.values)
    if isinstance(type_, msgspec.inspect.StructType):
        return structs(type_.cls)
    if isinstance(type_, msgspec.inspect.VarTupleType):
        return st.lists(_field("", type_.item_type), max_size=3).map(tuple)
    return next(strategy for kind, strategy in _BY_TYPE if isinstance(type_, kind))


STRUCTS = [topic.struct for topic in (*INPUTS, TICKS, POLICIES, *OUTPUTS) if topic.struct is not None]
"""Every struct that has a topic and a schema."""

PARTS = [Card, InvoiceLine, Reason, InputReference, Risk, RiskFactor]
"""The structs within them."""

events: st.SearchStrategy[CustomerEvent] = st.one_of(*(structs(kind) for kind in get_args(CustomerEvent)))
"""Any event of a customer."""

decisions: st.SearchStrategy[DecisionRecord] = structs(DecisionRecord)
"""Any decision."""
