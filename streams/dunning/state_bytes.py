"""The bytes that a customer's state is kept as."""

import zlib

import msgspec

from streams.dunning.state import CustomerState

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(CustomerState)

# Few customers have so much: many cases, and contacts that each name all of them. That shrinks to a
# quarter, at a cost that nobody else pays.
_LARGE_BYTES = 4_096
_COMPRESSED = b"\x78"
"""What zlib's bytes begin with; a state, an array, begins with 0x9? or 0xdc in MessagePack."""


def encode_state(state: CustomerState) -> bytes:
    """The state as MessagePack; compressed if it is large."""
    data = _encoder.encode(state)
    return data if len(data) < _LARGE_BYTES else zlib.compress(data, level=6)


def decode_state(data: bytes) -> CustomerState:
    """The state from its bytes.

    Raises:
        msgspec.DecodeError: The bytes are no state.
    """
    if data[:1] == _COMPRESSED:
        try:
            data = zlib.decompress(data)
        except zlib.error as error:
            raise msgspec.DecodeError(str(error)) from error
    return _decoder.decode(data)
