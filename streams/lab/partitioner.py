"""Which partition a customer's records go to: Kafka's own default, as every client can be told to compute it.

Java's clients hash the key with 32-bit Murmur2, seed 0x9747b28c, and take the lower 31 bits modulo the number
of partitions (`org.apache.kafka.common.utils.Utils.murmur2`). librdkafka calls it `murmur2_random`.
"""

_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_SHIFT = 24
_32_BITS = 0xFFFFFFFF
_31_BITS = 0x7FFFFFFF


def partition_of(customer_id: str, partitions: int) -> int:
    """The partition of a customer, of so many."""
    return (murmur2(customer_id.encode()) & _31_BITS) % partitions


def murmur2(data: bytes) -> int:
    """The hash, as an unsigned 32-bit number."""
    value = (_SEED ^ len(data)) & _32_BITS
    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        part = int.from_bytes(data[start : start + 4], "little") * _MULTIPLIER & _32_BITS
        part = (part ^ part >> _SHIFT) * _MULTIPLIER & _32_BITS
        value = value * _MULTIPLIER & _32_BITS ^ part
    rest = data[whole:]
    if rest:
        value = (value ^ int.from_bytes(rest, "little")) * _MULTIPLIER & _32_BITS
    value = (value ^ value >> 13) * _MULTIPLIER & _32_BITS
    return value ^ value >> 15
