"""How a table's keys and values become the bytes of its changelog and of its local store.

A stored value is an envelope: one byte of format, eight bytes for the due time if there is one, and then the
encoded value. So a restore fills store and agenda without decoding a single value.
"""

import struct
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from streams.engine.errors import InternalError

__all__ = ["DUE_BYTES", "Codec", "decode_due", "due_bytes", "due_of", "encode_due", "open_envelope", "seal"]

V = TypeVar("V")

DUE_BYTES = 8

_PLAIN = b"\x00"
_WITH_DUE = b"\x01"
_HEAD = len(_WITH_DUE) + DUE_BYTES
_DUE = struct.Struct(">Q")
# Moves signed due times into the unsigned range, so that the bytes sort as the numbers do.
_DUE_BIAS = 1 << 63


def _encode_text(key: Any) -> bytes:
    return bytes(key.encode())


def _decode_text(key: bytes) -> Any:
    return key.decode()


class Codec(Generic[V]):
    """Turns a table's values and keys into bytes and back.

    Args:
        encode: value to bytes; the same value must give the same bytes.
        decode: bytes to value.
        encode_key: key to bytes; text as UTF-8 unless given.
        decode_key: bytes to key.
    """

    __slots__ = ("decode", "decode_key", "encode", "encode_key")

    def __init__(
        self,
        encode: Callable[[V], bytes],
        decode: Callable[[bytes], V],
        *,
        encode_key: Callable[[Any], bytes] = _encode_text,
        decode_key: Callable[[bytes], Any] = _decode_text,
    ) -> None:
        self.encode = encode
        self.decode = decode
        self.encode_key = encode_key
        self.decode_key = decode_key


def encode_due(due: int) -> bytes:
    """A due time as eight bytes, which sort as the times do."""
    return _DUE.pack(due + _DUE_BIAS)


def decode_due(raw: bytes) -> int:
    """The due time that the first eight bytes say."""
    return int(_DUE.unpack_from(raw)[0]) - _DUE_BIAS


def seal(value: bytes, due: int | None) -> bytes:
    """Put an encoded value and its due time into an envelope."""
    if due is None:
        return _PLAIN + value
    return _WITH_DUE + _DUE.pack(due + _DUE_BIAS) + value


def due_bytes(envelope: bytes) -> bytes | None:
    """The due time in an envelope as `encode_due` gives it, without touching the value.

    Raises:
        InternalError: the bytes are not an envelope of a known format.
    """
    kind = envelope[:1]
    if kind == _PLAIN:
        return None
    if kind == _WITH_DUE and len(envelope) >= _HEAD:
        return envelope[1:_HEAD]
    raise InternalError(
        f"a stored value begins with {envelope[:_HEAD]!r}, which is no format of this engine's changelogs; "
        "was the changelog written by another program?"
    )


def due_of(envelope: bytes) -> int | None:
    """The due time in an envelope, without touching the value.

    Raises:
        InternalError: the bytes are not an envelope of a known format.
    """
    raw = due_bytes(envelope)
    return None if raw is None else decode_due(raw)


def open_envelope(envelope: bytes) -> bytes:
    """The encoded value in an envelope."""
    return envelope[1:] if due_bytes(envelope) is None else envelope[_HEAD:]
