"""Which partition works an account: the one that Kafka's default partitioner gives its key to."""

import struct
from uuid import UUID

_MASK = 0xFFFFFFFF
_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995


def partition_of(key: UUID, partitions: int) -> int:
    """0 to partitions - 1."""
    return place_of(key) % partitions


def place_of(key: UUID) -> int:
    """The key's hash, from 0 to 2^31 - 1: what partitions are chosen by, however many there are."""
    return murmur2(str(key).encode("ascii")) & 0x7FFFFFFF


def murmur2(data: bytes) -> int:
    """MurmurHash2 as Kafka's Java client computes it, unsigned."""
    length = len(data)
    h = _SEED ^ length
    whole = length - length % 4
    for word in struct.unpack_from(f"<{whole // 4}I", data):
        k = word * _MULTIPLIER & _MASK
        k = (k ^ k >> 24) * _MULTIPLIER & _MASK
        h = h * _MULTIPLIER & _MASK ^ k
    if whole < length:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _MASK
    h = (h ^ h >> 13) * _MULTIPLIER & _MASK
    return h ^ h >> 15
