"""How a table's keys and values become the bytes of its changelog and of its local store.

A stored value is an envelope: one byte of format, eight bytes for the due time if there is one, and then the
encoded value. So a restore fills store and agenda without decoding a single value.
"""

import struct
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from streams.engine.errors import InternalError

__all__ = ["Codec", "due_of", "open_envelope", "seal"]

V = TypeVar("V")

_PLAIN = b"\x00"
_WITH_DUE = struct.Struct(">BQ")
_DUE_FORMAT = 1
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


def seal(value: bytes, due: int | None) -> bytes:
    """Put an encoded value and its due time into an envelope."""
    if due is None:
        return _PLAIN + value
    return _WITH_DUE.pack(_DUE_FORMAT, due + _DUE_BIAS) + value


def due_of(envelope: bytes) -> int | None:
    """The due time in an envelope, without touching the value.

    Raises:
        InternalError: the bytes are not an envelope of a known format.
    """
    kind = envelope[:1]
    if kind == _PLAIN:
        return None
    if kind == b"\x01" and len(envelope) >= _WITH_DUE.size:
        return int(_WITH_DUE.unpack_from(envelope)[1]) - _DUE_BIAS
    raise InternalError(
        f"a stored value begins with {envelope[:9]!r}, which is no format of this engine's changelogs; was "
        "the changelog written by another program?"
    )


def open_envelope(envelope: bytes) -> bytes:
    """The encoded value in an envelope."""
    return envelope[1:] if due_of(envelope) is None else envelope[_WITH_DUE.size :]
