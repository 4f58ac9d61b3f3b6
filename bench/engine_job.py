"""The engine job: decode Avro, read the key's total, write it back, emit one record.

Every contender in Python calls these three functions; the one in Java does the same with Avro's own library.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro

_SCHEMAS = Path(__file__).with_name("schemas")

Total = tuple[int, int]
"""How many events, and the sum of their amounts."""

NOTHING: Total = (0, 0)


def _schema(name: str) -> Any:
    return fastavro.schema.load_schema(str(_SCHEMAS / f"{name}.avsc"))


EVENT = _schema("event")
TOTAL = _schema("total")

# Bound once: looking the function up in its module costs as much as a field.
_read: Callable[..., Any] = fastavro.schemaless_reader
_write: Callable[..., None] = fastavro.schemaless_writer


def encode_event(customer: str, amount: int, at: int) -> bytes:
    """An input's value."""
    stream = BytesIO()
    _write(stream, EVENT, {"customer": customer, "amount": amount, "currency": "EUR", "at": at})
    return stream.getvalue()


def decode_event(value: bytes) -> dict[str, Any]:
    """An input."""
    event: dict[str, Any] = _read(BytesIO(value), EVENT, None)
    return event


def add(total: Total, event: dict[str, Any]) -> Total:
    """The new total."""
    return total[0] + 1, total[1] + event["amount"]


def encode_total(customer: str, total: Total) -> bytes:
    """A total as it is kept and emitted."""
    stream = BytesIO()
    _write(stream, TOTAL, {"customer": customer, "count": total[0], "sum": total[1]})
    return stream.getvalue()


def decode_total(value: bytes) -> Total:
    """A total that was kept or emitted."""
    found: Any = _read(BytesIO(value), TOTAL, None)
    return found["count"], found["sum"]
