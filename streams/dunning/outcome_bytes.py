"""The bytes that counts of outcomes are kept as: MessagePack, the same for the same counts."""

import msgspec

from streams.dunning.measures import Group

_encoder = msgspec.msgpack.Encoder(order="deterministic")
_group_decoder = msgspec.msgpack.Decoder(Group)
_counts_decoder = msgspec.msgpack.Decoder(dict[str, int])


def encode_group(group: Group) -> bytes:
    """A group as the key of its counts."""
    return _encoder.encode(group)


def decode_group(data: bytes) -> Group:
    """The group from its bytes. Raises msgspec.DecodeError if they are none."""
    return _group_decoder.decode(data)


def encode_counts(counts: dict[str, int]) -> bytes:
    """A group's counts by measure."""
    return _encoder.encode(counts)


def decode_counts(data: bytes) -> dict[str, int]:
    """A group's counts from their bytes. Raises msgspec.DecodeError if they are none."""
    return _counts_decoder.decode(data)
